"""Starting, reloading, draining, ending; and what it takes up while it runs."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from support.leash import LEASH, LEASHCTL, run_leash
from support.log import Log, check_chain
from support.wait import DEADLINE, IS_SANITIZED, wait_until
from support.world import Way


def arguments(directory, *more):
    """A command line with everything in this directory."""
    policy, ca = directory / "policy", directory / "ca"
    policy.mkdir(exist_ok=True)
    ca.mkdir(exist_ok=True, mode=0o700)
    return ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--policy-dir", str(policy), "--log",
            str(directory / "egress.jsonl"), "--ca-dir", str(ca)] + list(more)


# Settings


def test_help_names_flags_variables_and_defaults():
    code, out, _ = run_leash(["--help"])
    assert code == 0
    for word in ("--listen", "LEASH_LISTEN", "0.0.0.0:8080", "--admin", "LEASH_ADMIN", "--policy-dir", "LEASH_DIR", "/etc/leash",
                 "--log", "LOG_PATH", "--ca-dir", "--origin-ca", "--allow-origin-network", "--body-limit-kb", "BODY_LIMIT_KB",
                 "--workers", "--check-config"):
        assert word in out, word


def test_version():
    code, out, _ = run_leash(["--version"])
    assert code == 0 and out.startswith("leash ")


BAD_FLAGS = [
    (["--nonsense"], "--nonsense"), (["--listen", "nowhere"], "--listen"), (["--listen", "127.0.0.1:99999"], "--listen"),
    (["--listen", "127.0.0.1"], "--listen"), (["--admin", "127.0.0.1:x"], "--admin"),
    (["--allow-origin-network", "10.0.0.0/99"], "--allow-origin-network"), (["--allow-origin-network", "ten"], "--allow-origin-network"),
    (["--body-limit-kb", "many"], "--body-limit-kb"), (["--body-limit-kb", "-1"], "--body-limit-kb"), (["--workers", "0"], "--workers"),
    (["--workers", "x"], "--workers"), (["--origin-ca", "/nowhere/ca.pem"], "/nowhere/ca.pem"), (["stray"], "stray"),
]


@pytest.mark.parametrize("flags,named", BAD_FLAGS, ids=[" ".join(flags) for flags, _ in BAD_FLAGS])
def test_bad_flag_is_named(tmp_path, flags, named):
    code, _, err = run_leash(arguments(tmp_path, *flags))
    assert code == 2 and named in err, (code, err)


@pytest.mark.parametrize("name,value", [("LEASH_LISTEN", "x"), ("LEASH_ADMIN", "x:y"), ("BODY_LIMIT_KB", "many"), ("LEASH_WORKERS", "none"),
                                        ("LEASH_ORIGIN_NETWORKS", "ten"), ("LEASH_AUDIT", "perhaps"), ("LEASH_LOG_SECRETS", "perhaps")])
def test_bad_variable_is_named(tmp_path, name, value):
    flag = {"LEASH_LISTEN": "--listen", "LEASH_ADMIN": "--admin"}.get(name)
    command = arguments(tmp_path)
    if flag:  # the flag would win
        at = command.index(flag)
        del command[at:at + 2]
    code, _, err = run_leash(command, {name: value})
    assert code == 2 and name in err, (code, err)


@pytest.mark.parametrize("text,line", [("limits:\n  head_kb: 64\n  colour: red\n", 3), ("colour: red\n", 1), ("limits:\n  head_kb: lots\n", 2),
                                       ("limits: [\n", 0), ("# note\nworkers: zero\n", 2)])
def test_bad_settings_file_is_named_with_its_line(tmp_path, text, line):
    command = arguments(tmp_path)
    (tmp_path / "policy" / "leash.yaml").write_text(text)
    code, _, err = run_leash(command)
    assert code == 2 and "leash.yaml" in err, (code, err)
    assert f"leash.yaml:{line}" in err or line == 0, err


def test_check_config(tmp_path):
    command = arguments(tmp_path, "--check-config")
    policy = tmp_path / "policy"
    (policy / "mode").write_text("enforce\n")
    (policy / "enforce.yaml").write_text("allow:\n  - host: a.test\n")
    (policy / "blocklist.yaml").write_text("block: []\n")
    code, out, err = run_leash(command)
    assert code == 0, (out, err)
    (policy / "enforce.yaml").write_text("allow:\n  - host: a.test\n    ports: [none]\n")
    code, out, err = run_leash(command)
    assert code == 1 and "enforce.yaml:" in out + err
    assert not (tmp_path / "egress.jsonl").exists() and not list((tmp_path / "ca").iterdir())


def test_port_in_use_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for flag in ("--listen", "--admin"):
            command = arguments(tmp_path)
            command[command.index(flag) + 1] = address
            code, _, err = run_leash(command)
            assert code not in (0, None) and code > 0 and address in err, (code, err)
            assert "in use" in err.lower()


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_log_that_can_be_no_log(tmp_path, kind):
    command = arguments(tmp_path)
    path = tmp_path / "egress.jsonl"
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    code, _, err = run_leash(command)
    assert code == 2 and "egress.jsonl" in err, (code, err)


def test_policy_that_everybody_can_write_is_told(make_leash):
    """At start, by --check-config and by leashctl lint: whoever writes it decides."""
    leash = make_leash(starts=False)
    (leash.policy / "enforce.yaml").chmod(0o666)
    leash.policy.chmod(0o777)
    told = [f"{leash.policy}: everybody can write it (mode 777)", "enforce.yaml: everybody can write it (mode 666)"]
    lint = subprocess.run([LEASHCTL, "lint"], env=dict(os.environ, LEASH_DIR=str(leash.policy)), capture_output=True, timeout=DEADLINE)
    assert lint.returncode == 0 and all(line.replace(": ", ": warning: ", 1) in lint.stdout.decode() for line in told), lint
    code, out, err = run_leash(leash.command_line()[1:] + ["--check-config"])
    assert code == 0 and all(line.replace(": ", ": warning: ", 1) in out for line in told), (code, out, err)
    leash.start()
    assert all(f"policy: {line}" in leash.stderr() for line in told), leash.stderr()
    leash.stop()
    leash.policy.chmod(0o755)
    (leash.policy / "enforce.yaml").chmod(0o664)
    leash.start()
    assert "everybody" not in leash.stderr()


# The CA


def test_ca_is_made_once_and_kept(make_leash):
    leash = make_leash()
    key, certificate = leash.ca_dir / "leash-ca-key.pem", leash.ca_dir / "leash-ca-cert.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificate.stat().st_mode) == 0o644
    before = (key.read_bytes(), certificate.read_bytes())
    leash.stop()
    leash.start()
    assert (key.read_bytes(), certificate.read_bytes()) == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o666])
def test_open_key_file_is_refused(make_leash, tmp_path, mode):
    """70: with the line that mends it."""
    leash = make_leash()
    leash.stop()
    key = leash.ca_dir / "leash-ca-key.pem"
    key.chmod(mode)
    leash.spawn()
    assert leash.wait_for_exit() not in (0, None)
    assert "chmod 600" in leash.stderr() or "chmod 0600" in leash.stderr()
    assert str(key) in leash.stderr()
    leash.process = None
    key.chmod(0o600)
    leash.start()


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_broken_key_is_refused_and_kept(make_leash, content):
    leash = make_leash()
    leash.stop()
    key = leash.ca_dir / "leash-ca-key.pem"
    key.write_bytes(content)
    leash.spawn()
    assert leash.wait_for_exit() not in (0, None)
    assert "leash-ca-key.pem" in leash.stderr()
    assert key.read_bytes() == content
    leash.process = None


# Running


def test_health(make_leash):
    leash = make_leash()
    assert leash.admin_get("/healthz")[0] == 200
    assert leash.admin_get("/readyz")[0] == 200
    status, text = leash.admin_get("/metrics")
    assert status == 200 and "leash" in text and "# TYPE" in text
    assert leash.admin_get("/nothing")[0] == 404


def test_admin_is_no_proxy_and_wants_its_own_name(make_leash):
    """93: a page in a browser cannot rebind its way here."""
    leash = make_leash()
    with socket.create_connection(leash.admin, DEADLINE) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n")
        answer = sock.recv(65536)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer[:100]


def test_admin_on_a_unix_socket(make_leash):
    leash = make_leash(starts=False)
    path = leash.directory / "admin.sock"
    line = leash.command_line()
    line[line.index("--admin") + 1] = f"unix:{path}"
    leash.command_line = lambda: line
    leash.spawn()
    wait_until(lambda: leash.address and path.exists(), lambda: leash.stderr())
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(str(path))
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_several_listeners(make_leash, world):
    leash = make_leash(args=["--listen", "127.0.0.1:0", "--listen", "[::1]:0"], **world.options()) if socket.has_ipv6 else make_leash()
    addresses = [line for line in leash.errors if "listening on" in line]
    assert len(addresses) >= 2


def test_hang_up_signal_reopens_the_log(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    way = Way(leash, world, "plain")
    way.legal()
    leash.log.wait_for(event="allowed")
    os.rename(leash.log_path, leash.log_dir / "old.jsonl")
    leash.signal(signal.SIGHUP)
    wait_until(leash.log_path.exists)
    way.legal()
    leash.log.wait_for(event="allowed")
    way.conn.close()
    leash.stop()
    check_chain(Log(leash.log_dir / "old.jsonl").raw_lines() + leash.log.raw_lines())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain_finishes_what_runs(make_leash, world, number):
    leash = make_leash(mode="enforce", **world.options())
    way, gate = Way(leash, world, "tunnel"), threading.Event()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nfirst")
        gate.wait(DEADLINE)
        exchange.send(b" half")
    world.tls.on("/drain", script)
    way.conn.send(f"GET /drain HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    way.conn.reader.until(b"first")
    idle = Way(leash, world, "tunnel")
    idle.legal()
    leash.signal(number)

    def refuses():
        try:
            leash.connect().close()
            return False
        except OSError:
            return True
    wait_until(refuses, "no new connections while draining")
    assert idle.conn.is_at_end()
    gate.set()
    assert way.conn.reader.until(b" half")
    assert way.conn.is_at_end()
    assert leash.wait_for_exit() == 0
    assert leash.log.lines(event="allowed", url=f"https://{world.tls_authority}/drain")
    assert leash.log.lines(event="stop")
    leash.log.check_chain()


def test_drain_does_not_wait_for_ever(make_leash, world):
    leash = make_leash(mode="enforce", settings={"limits": {"drain_time": "300ms"}}, **world.options())
    way, gate = Way(leash, world, "tunnel"), threading.Event()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        gate.wait(DEADLINE)
        exchange.close()
    world.tls.on("/never", script)
    way.conn.send(f"GET /never HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    way.conn.reader.until(b"first")
    leash.signal(signal.SIGTERM)
    assert leash.wait_for_exit() == 0
    gate.set()
    way.conn.close()
    assert leash.log.wait_for(event="error", url=f"https://{world.tls_authority}/never")
    leash.log.check_chain()


def test_start_and_stop_are_on_record(make_leash):
    leash = make_leash()
    leash.stop()
    lines = leash.log.lines()
    assert lines[0]["event"] == "start" and "version" in lines[0]
    assert leash.log.lines(event="stop")


def test_mode_on_disk_at_start(make_leash):
    """The original wrote a mode_change at the first request after each restart; a start line tells it better, if at all."""
    leash = make_leash(mode="audit")
    leash.stop()
    changes = leash.log.lines(event="mode_change")
    assert all((line["previous"], line["mode"]) == ("enforce", "audit") for line in changes)


def test_memory_and_descriptors_come_back(make_leash, world):
    """A thousand short connections leave nothing behind."""
    leash = make_leash(mode="enforce", **world.options())

    def descriptors():
        return len(os.listdir(f"/proc/{leash.pid}/fd"))

    def turn(count):
        for number in range(count):
            way = Way(leash, world, "tunnel" if number % 2 else "plain")
            way.legal()
            way.conn.close()
    turn(100)
    before, fds = leash.rss_mib, descriptors()
    turn(900)
    assert leash.rss_mib - before < (200 if IS_SANITIZED else 12)
    wait_until(lambda: descriptors() <= fds + 8, lambda: f"{descriptors()} descriptors, {fds} before")


@pytest.mark.skipif(IS_SANITIZED, reason="the leak check has to attach")
def test_no_core_dump_of_the_ca_key(make_leash):
    limits = Path(f"/proc/{make_leash().pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), limits


def test_runs_as_an_ordinary_user(make_leash, world):
    """Root is needed by the installer only: as nobody, with nothing but files of its own, it serves like anybody's."""
    if os.geteuid() != 0:
        pytest.skip("we are one already")
    leash = make_leash(starts=False, mode="enforce", user=65534, **world.options())
    leash.directory.parent.chmod(0o711)
    # the build folder and pytest's may be closed to others
    leash.command = shutil.copy(LEASH, leash.directory / "leash")
    leash.origin_ca = shutil.copy(leash.origin_ca, leash.directory / "origins.pem")
    leash.start()
    status = Path(f"/proc/{leash.pid}/status").read_text()
    assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    for via in ("plain", "tunnel"):
        way = Way(leash, world, via)
        way.legal()
        way.conn.close()
    leash.set_allow([])
    with leash.connect() as conn:
        assert conn.get(f"http://{world.plain_authority}/", world.plain_authority).status == 403
    assert leash.admin_get("/readyz")[0] == 200
    assert len(leash.log.wait_for(event="allowed", count=2)) == 2
    assert leash.log_path.stat().st_uid == (leash.ca_dir / "leash-ca-key.pem").stat().st_uid == 65534
