"""The .deb packages: installed, upgraded, removed and purged on a Debian that boots."""

import shutil
import subprocess

import pytest

from machine import Machine, Network, why_not
from support.leash import BUILD, ROOT
from test_setup import HAS_CONSOLE, differences

NAMES = ["leash", "leashctl"] + (["leash-console"] if HAS_CONSOLE else [])


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Version 0.1.0 as `make deb` makes it, and the one after it with other defaults."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    if shutil.which("dh") is None or shutil.which("dpkg-shlibdeps") is None:
        pytest.skip("debhelper and dpkg-dev are not here")
    if BUILD.resolve() != (ROOT / "build").resolve():
        pytest.skip("the packages are made of build/")
    done = subprocess.run([ROOT / "tools" / "deb.sh"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    top = tmp_path_factory.mktemp("packages")
    first, second = top / "first", top / "second"
    first.mkdir()
    second.mkdir()
    for path in (BUILD / "packages").glob("*.deb"):
        shutil.copy2(path, first)
    for path in first.glob("*.deb"):
        tree = top / path.stem
        subprocess.run(["dpkg-deb", "-R", str(path), str(tree)], check=True)
        control = tree / "DEBIAN" / "control"
        control.write_text(control.read_text().replace("0.1.0", "0.1.1"))
        for name in ("enforce.yaml", "blocklist.yaml"):
            policy = tree / "etc" / "leash" / name
            if policy.exists():
                policy.write_text(policy.read_text() + "# new in this version\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tree), str(second)], check=True, stdout=subprocess.DEVNULL)
    return top


def test_lintian_finds_no_errors(packages):
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not here")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", *(packages / "first").glob("*.deb")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def machine(debian, packages):
    network = Network("packages")
    made = Machine(debian, network, binds=[(packages, "/packages")])
    try:
        yield made.boot()
    finally:
        made.close()
        network.close()


def test_install_upgrade_remove_purge(machine):
    before = machine.files()
    machine.check("sh", "-c", "dpkg -i /packages/first/*.deb")
    assert machine.is_active("leash.service") and machine.is_active("leash.socket")
    assert machine.check("readlink", "-f", f"/proc/{machine.check('systemctl', 'show', '-P', 'MainPID', 'leash').strip()}/exe") == "/usr/bin/leash\n"
    assert "no findings" in machine.check("leashctl", "doctor")
    assert machine.check("stat", "-c", "%a %U:%G", "/etc/leash").strip() == ("1770 root:leash" if HAS_CONSOLE else "750 root:leash")
    assert machine.check("stat", "-c", "%a", "/etc/leash/enforce.yaml", "/etc/leash/mode").split() == ["640", "640"]

    machine.check("leashctl", "allow", "mine.example")
    machine.check("leashctl", "mode", "audit")
    edited, fingerprint = machine.read("/etc/leash/enforce.yaml"), machine.check("leashctl", "ca")
    pid = machine.check("systemctl", "show", "-P", "MainPID", "leash")
    machine.check("sh", "-c", "dpkg --force-confdef --force-confold -i /packages/second/*.deb")
    assert machine.check("dpkg-query", "-W", "-f", "${Version}", "leash") == "0.1.1"
    assert machine.read("/etc/leash/enforce.yaml") == edited and machine.read("/etc/leash/mode") == "audit\n"
    assert machine.read("/etc/leash/enforce.yaml.dpkg-dist").endswith("# new in this version\n")
    assert machine.read("/etc/leash/blocklist.yaml").endswith("# new in this version\n")
    assert machine.is_active("leash.service") and machine.check("systemctl", "show", "-P", "MainPID", "leash") != pid
    assert machine.check("leashctl", "ca") == fingerprint

    machine.check("dpkg", "-r", *NAMES)
    assert not machine.is_active("leash.service") and not machine.is_active("leash.socket")
    assert machine.read("/etc/leash/enforce.yaml") == edited
    machine.check("test", "-s", "/var/log/leash/egress.jsonl")
    machine.check("test", "-e", "/var/lib/leash/ca/leash-ca-key.pem")
    assert machine.run("test", "-e", "/usr/bin/leash").returncode == 1

    machine.check("dpkg", "-P", *NAMES)
    added, changed, gone = differences(before, machine.files())
    # systemd's own note of what a package had enabled goes with the package; dpkg's list of what was installed is not leash's.
    assert added == set() and gone == set() and changed == set()


def test_setup_takes_packages(machine):
    before = machine.files()
    done = machine.run("/src/setup.sh", "--packages", "/packages/first")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.is_active("leash.service") and machine.is_active("leash-firewall.service")
    assert "no findings" in machine.check("leashctl", "doctor")
    assert machine.run("test", "-e", "/usr/local/bin/leash").returncode == 1
    assert machine.check("/src/setup.sh", "--packages", "/packages/first") == "nothing to change\n"
    said = machine.check("/src/setup.sh", "--packages", "/packages/second")
    assert "install leash_0.1.1" in said and machine.check("dpkg-query", "-W", "-f", "${Version}", "leash") == "0.1.1"
    assert machine.is_active("leash.service")
    machine.uninstall("--purge")
    added, changed, gone = differences(before, machine.files())
    assert added == set() and gone == set() and changed == set()
