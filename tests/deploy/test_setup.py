"""setup.sh on a Debian that boots: what it puts where, what it leaves alone, and what is left when it has been removed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from machine import Machine, Network
from support.leash import BUILD, ROOT
from support.wait import wait_until

# path: mode, owner. What else is installed is a copy of a file of the checkout.
INSTALLED = {
    "/etc/leash": ("750", "root:leash"),
    "/etc/leash/enforce.yaml": ("640", "root:leash"),
    "/etc/leash/blocklist.yaml": ("640", "root:leash"),
    "/etc/leash/agents.yaml": ("640", "root:leash"),
    "/etc/leash/mode": ("640", "root:leash"),
    "/etc/leash/leash.yaml": ("640", "root:leash"),
    "/etc/leash/setup.conf": ("644", "root:root"),
    "/etc/leash/firewall.nft": ("644", "root:root"),
    "/etc/sysctl.d/60-leash.conf": ("644", "root:root"),
    "/etc/systemd/system/leash.service": ("644", "root:root"),
    "/etc/systemd/system/leash.socket": ("644", "root:root"),
    "/etc/systemd/system/leash.socket.d": ("755", "root:root"),
    "/etc/systemd/system/leash.socket.d/10-ipv6.conf": ("644", "root:root"),
    "/etc/systemd/system/leash-firewall.service": ("644", "root:root"),
    "/etc/systemd/system/multi-user.target.wants/leash.service": ("777", "root:root"),
    "/etc/systemd/system/sockets.target.wants": ("755", "root:root"),
    "/etc/systemd/system/sockets.target.wants/leash.socket": ("777", "root:root"),
    "/etc/systemd/system/sysinit.target.wants/leash-firewall.service": ("777", "root:root"),
    "/etc/systemd/system/nftables.service.wants": ("755", "root:root"),
    "/etc/systemd/system/nftables.service.wants/leash-firewall.service": ("777", "root:root"),
    "/etc/systemd/system/leash-ca.service": ("644", "root:root"),
    "/etc/systemd/system/leash-ca.timer": ("644", "root:root"),
    "/etc/systemd/system/timers.target.wants/leash-ca.timer": ("777", "root:root"),
    "/usr/local/bin/leash": ("755", "root:root"),
    "/usr/local/bin/leashctl": ("755", "root:root"),
    "/var/lib/leash-setup": ("700", "root:root"),
    "/var/lib/leash-setup/record": ("644", "root:root"),
}
HAS_CONSOLE = (BUILD / "leash-console").exists()
if HAS_CONSOLE:
    INSTALLED |= {
        "/etc/leash": ("1770", "root:leash"),
        "/etc/leash/enforce.yaml": ("640", "leash-console:leash"),
        "/etc/leash/blocklist.yaml": ("640", "leash-console:leash"),
        "/etc/leash/mode": ("640", "leash-console:leash"),
        "/etc/systemd/system/leash-console.service": ("644", "root:root"),
        "/etc/systemd/system/multi-user.target.wants/leash-console.service": ("777", "root:root"),
        "/usr/local/bin/leash-console": ("755", "root:root"),
    }
# What leash itself makes, and what stays when it is removed.
RUNTIME = {
    "/var/lib/leash": ("700", "leash:leash"),
    "/var/lib/leash/ca": ("700", "leash:leash"),
    "/var/lib/leash/ca/leash-ca-key.pem": ("600", "leash:leash"),
    "/var/lib/leash/ca/leash-ca-cert.pem": ("644", "leash:leash"),
    "/var/lib/leash/ca/leash-audit-key.pem": ("600", "leash:leash"),
    "/var/lib/leash/ca/leash-audit-key.pub.pem": ("644", "leash:leash"),
    "/var/log/leash": ("750", "leash:leash"),
    "/var/log/leash/egress.jsonl": ("640", "leash:leash"),
}
# useradd's and systemd's own.
NOISE = re.compile(r"/etc/(passwd|group|g?shadow|subuid|subgid)-?$|/etc/\.pwd\.lock$|/etc/resolv\.conf|/etc/machine-id|/var/log/(lastlog|wtmp|btmp|faillog)"
                   r"|/var/lib/dbus|/var/log/(README|dpkg\.log|apt/|alternatives\.log)|/var/lib/apt/|/var/lib/leash-console|/var/lib/private|/var/log/private")


@pytest.fixture
def machine(debian):
    network = Network("setup")
    made = Machine(debian, network)
    try:
        yield made.boot()
    finally:
        made.close()
        network.close()


@pytest.fixture
def newer(tmp_path):
    """The next version of the checkout: other defaults, another unit."""
    copy = tmp_path / "newer"
    copy.mkdir()
    for name in ("setup.sh", "setup", "systemd", "policy", "docs", "certs", "completions"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, copy / name)
    for name in ("policy/enforce.yaml", "policy/blocklist.yaml", "systemd/leash.service"):
        (copy / name).write_text((copy / name).read_text() + "# new in this version\n")
    return copy


def differences(before, after):
    """(added, changed, gone) without the system's own noise."""
    # A socket is there as long as who listens.
    added = {path for path in after if path not in before and not NOISE.search(path) and after[path][0] != "s"}
    gone = {path for path in before if path not in after and not NOISE.search(path)}
    changed = {path for path in after if path in before and after[path] != before[path] and not NOISE.search(path)
               and after[path][0] != "d" and path != "/var/log/leash/egress.jsonl"}  # which leash goes on writing
    return added, changed, gone


def copies():
    """What is installed as it is in the checkout."""
    made = {f"/usr/local/share/doc/leash/{path.name}": path for path in ROOT.glob("docs/*.md")}
    made.update({f"/usr/local/share/man/man{path.suffix[1:]}/{path.name}": path for path in ROOT.glob("docs/man/*.[18]")})
    made.update({f"/usr/local/share/{folder}": ROOT / "completions" / name for folder, name in (
        ("bash-completion/completions/leashctl", "leashctl.bash"), ("zsh/site-functions/_leashctl", "_leashctl"),
        ("fish/vendor_completions.d/leashctl.fish", "leashctl.fish"))})
    made.update({f"/usr/local/share/leash/certs/{path.name}": path for path in ROOT.glob("certs/*") if path.is_file()})
    return made


def folders_of(paths):
    return {path.rsplit("/", n)[0] for path in paths for n in (1, 2, 3)} - {""}


def test_install_update_remove(debian, newer):
    """One machine's life: nothing told is done, all that is done was told, a second run does nothing, edits stay, and a removal
    leaves what it found."""
    network = Network("life")
    machine = Machine(debian, network, binds=[(newer, "/newer")])
    try:
        machine.boot()
        live_with(machine)
    finally:
        machine.close()
        network.close()


def live_with(machine):
    before = machine.files()

    told = machine.setup("--dry-run")
    assert "would install /usr/local/bin/leash" in told
    assert differences(before, machine.files()) == (set(), set(), set())
    assert machine.run("id", "leash").returncode != 0

    said = machine.setup()
    assert said.splitlines()[:5] == told.replace("would ", "").splitlines()[:5]
    installed = machine.files()
    added, changed, gone = differences(before, installed)
    expected = set(INSTALLED) | set(RUNTIME) | set(copies())
    assert added - folders_of(copies()) == expected, "installed: other than expected"
    assert changed == set() and gone == set()
    for path, (mode, owner) in {**INSTALLED, **RUNTIME}.items():
        assert installed[path][1:3] == (mode, owner), path
    for path, source in copies().items():
        assert machine.read(path) == source.read_text(), path
    assert all(machine.is_active(unit) for unit in ("leash.service", "leash.socket", "leash-firewall.service"))
    assert "no findings" in machine.check("leashctl", "doctor")
    fingerprint = machine.check("leashctl", "ca")
    started = machine.check("systemctl", "show", "-P", "ExecMainStartTimestampMonotonic", "leash")

    assert machine.setup() == "nothing to change\n"
    assert differences(installed, machine.files()) == (set(), set(), set())
    assert machine.check("systemctl", "show", "-P", "ExecMainStartTimestampMonotonic", "leash") == started

    # An edit stays, an update goes beside it, once; what was not edited is replaced.
    machine.check("leashctl", "allow", "mine.example")
    machine.check("leashctl", "mode", "audit")
    edited = machine.read("/etc/leash/enforce.yaml")
    assert machine.setup() == "nothing to change\n"
    done = machine.run("/newer/setup.sh", "--programs", "/programs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "keep /etc/leash/enforce.yaml, which was edited" in done.stdout
    assert machine.read("/etc/leash/enforce.yaml") == edited and machine.read("/etc/leash/mode") == "audit\n"
    assert machine.read("/etc/leash/enforce.yaml.new").endswith("# new in this version\n")
    assert machine.read("/etc/leash/blocklist.yaml").endswith("# new in this version\n")
    assert machine.read("/etc/systemd/system/leash.service").endswith("# new in this version\n")
    assert machine.check("systemctl", "show", "-P", "ExecMainStartTimestampMonotonic", "leash") != started
    assert "nothing to change" in machine.check("/newer/setup.sh", "--programs", "/programs")
    assert machine.check("leashctl", "ca") == fingerprint

    # Networks are kept from run to run; agents.yaml follows.
    machine.setup("--agent-network", "10.20.0.0/24", "--agent-network=fd00:20::/64", "--management-network", "192.0.2.0/24")
    assert "10.20.0.0/24" in machine.read("/etc/leash/agents.yaml") and "fd00:20::/64" in machine.read("/etc/leash/agents.yaml")
    rules = machine.check("nft", "list", "table", "inet", "leash")
    assert "10.20.0.0/24" in rules and "fd00:20::/64" in rules and "192.0.2.0/24" in rules and "10.10.10.0/24" not in rules
    assert "nothing to change" in machine.setup()

    # Asks; and without a terminal that is no.
    assert machine.run("/src/setup.sh", "--uninstall").returncode == 1
    assert machine.is_active("leash.service")

    said = machine.uninstall()
    assert "keep /etc/leash/enforce.yaml, which was edited" in said
    left, changed, gone = differences(before, machine.files())
    assert left == set(RUNTIME) | {"/etc/leash", "/etc/leash/enforce.yaml", "/etc/leash/mode"}
    assert changed == set() and gone == set()
    assert machine.run("nft", "list", "tables").stdout == ""

    # A new installation takes up the CA, the log and the policy that stayed.
    machine.setup()
    assert machine.check("leashctl", "ca") == fingerprint
    assert machine.read("/etc/leash/enforce.yaml") == edited
    machine.check("leashctl", "verify", "/var/log/leash/egress.jsonl", "--key", "/var/lib/leash/ca/leash-audit-key.pub.pem")
    machine.uninstall("--purge")
    assert differences(before, machine.files()) == (set(), set(), set())
    assert machine.run("id", "leash").returncode != 0


def test_a_foreign_ruleset_is_not_touched(machine):
    """Rules of others stay what they are; when they are loaded anew and flush all, the fence comes back."""
    machine.write("/etc/nftables.conf", "#!/usr/sbin/nft -f\nflush ruleset\ntable inet mine {\n\tchain input {\n\t\ttype filter hook input "
                  "priority 0; policy accept;\n\t}\n}\n")
    machine.check("systemctl", "enable", "--now", "nftables")
    foreign = machine.read("/etc/nftables.conf")
    machine.setup()
    assert machine.read("/etc/nftables.conf") == foreign
    tables = {"table inet mine", "table inet leash"}
    assert set(machine.check("nft", "list", "tables").splitlines()) == tables
    for verb in ("restart", "reload"):
        machine.check("systemctl", verb, "nftables")
        wait_until(lambda: set(machine.check("nft", "list", "tables").splitlines()) == tables, f"both tables after a {verb}")
    machine.uninstall()
    assert machine.check("nft", "list", "tables") == "table inet mine\n"


def test_who_is_among_agents_is_not_locked_out(machine):
    done = machine.run("/src/setup.sh", "--programs", "/programs", env={"SSH_CONNECTION": "10.10.10.7 50000 10.10.10.1 22"})
    assert done.returncode == 1 and "lock you out" in done.stderr
    assert machine.run("nft", "list", "tables").stdout == ""


@pytest.mark.parametrize("words, text", [
    (["--agent-network", "10.10.10.0/33"], "not a network"),
    (["--agent-network", "10.0.0.0/8; flush ruleset"], "not a network"),
    (["--agent-interface", "eth0\" accept"], "not an interface"),
    (["--agent-networks", "10.0.0.0/8"], "unknown option"),
    (["--purge"], "--uninstall"),
    (["--programs", "/nowhere"], "no such directory"),
])
def test_wrong_options(debian, words, text):
    """Before anything is looked at; so the host's own bash will do."""
    done = subprocess.run([ROOT / "setup.sh", "--dry-run", *words], capture_output=True, text=True)
    assert done.returncode == 1 and text in done.stderr


OLD_UNIT = "[Container]\nImage=localhost/leash:latest\nVolume=/var/lib/leash/mitmproxy:/root/.mitmproxy:Z\n"


def test_from_the_python_leash(machine, pki):
    """Its CA, policy, log and networks are taken over; what let agents pass it by is gone."""
    authority = Path(pki.root.path)  # certificate and key in one file, as mitmproxy has it
    machine.write("/etc/containers/systemd/leash.container", OLD_UNIT)
    machine.write("/etc/containers/systemd/logviewer.container", OLD_UNIT.replace("leash:latest", "logviewer:latest"))
    machine.write("/etc/containers/systemd/other.container", "[Container]\nImage=other\n")
    machine.write("/etc/systemd/system/multi-user.target.d/leash.conf", "[Unit]\nWants=leash.service logviewer.service\n")
    machine.write("/etc/sysctl.d/99-leash-forward.conf", "net.ipv4.ip_forward=1\n")
    machine.write("/etc/leash/allowlist.yaml", "agent_networks:\n  - 10.30.0.0/24  # ours\nallowed_destinations:\n  - host: kept.example\n"
                  "    ports: [8443]\n    paths:\n      - { method: GET, prefix: /v1/ }\n")
    machine.write("/etc/leash/blocklist.yaml", "block:\n  - bad.example\n")
    machine.write("/etc/leash/mode", "audit\n")
    machine.write("/etc/leash/identity.env", "LEASH_IDENTITY_HOST=control.example\n")
    machine.write("/var/lib/leash/mitmproxy/mitmproxy-ca.pem", authority.read_text())
    machine.write("/var/lib/leash/logs/egress.jsonl", '{"ts": 1700000000.0, "event": "allowed", "host": "old.example"}\n')

    said = machine.setup()
    assert "was edited" in said  # the old blocklist stays, the new one lies beside it
    assert machine.read("/etc/leash/mode") == "audit\n"
    assert machine.read("/etc/leash/blocklist.yaml") == "block:\n  - bad.example\n"
    assert "kept.example" in machine.read("/etc/leash/enforce.yaml")
    assert "10.30.0.0/24" in machine.read("/etc/leash/agents.yaml")
    assert "10.30.0.0/24" in machine.check("nft", "list", "set", "inet", "leash", "agents4")
    assert machine.run("leashctl", "check", "-X", "GET", "https://kept.example:8443/v1/x").stdout.count("allowed") >= 2
    assert "mitmproxy-ca-cert.pem" in machine.check("leashctl", "ca")
    log = machine.read("/var/log/leash/egress.jsonl").splitlines()
    assert "old.example" in log[0] and '"event": "start"' in log[1]
    machine.check("test", "-e", "/var/lib/leash/mitmproxy/mitmproxy-ca.pem")
    assert machine.read("/etc/containers/systemd/leash.container.bak") == OLD_UNIT
    machine.check("test", "-e", "/etc/containers/systemd/other.container")
    for gone in ("/etc/containers/systemd/leash.container", "/etc/systemd/system/multi-user.target.d", "/etc/sysctl.d/99-leash-forward.conf",
                 "/etc/leash/allowlist.yaml"):
        assert machine.run("test", "-e", gone).returncode == 1, gone
    environment = machine.check("sh", "-c", "tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID leash)/environ")
    assert "LEASH_IDENTITY_HOST=control.example" in environment
    assert "nothing to change" in machine.setup()
