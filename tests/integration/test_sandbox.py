"""What leash gives up once it has started, in the running process and by a program that does the same and then tries."""

import os
import socket
import stat
import subprocess

import pytest

from support.leash import BUILD
from support.processes import keeper_of, signer_of, status, threads
from support.wait import DEADLINE, IS_SANITIZED, wait_until
from support.world import Way, World


@pytest.fixture(scope="module")
def world(pki):
    made = World(pki)
    yield made
    made.close()


def tried(place, *more):
    """What try_sandbox could do: name -> "ok" or the error. `more`: the console's state directory."""
    for name in ("logs", "policy/lists", "ca", "state"):
        (place / name).mkdir(parents=True, exist_ok=True)
    (place / "policy/enforce.yaml").write_text("allow: []\n")
    (place / "policy/lists/a.txt").write_text("a.test\n")
    for name in ("leash-ca-key.pem", "leash-audit-key.pem", "leash-ca-cert.pem"):
        (place / "ca" / name).write_text("secret\n")
    more = [str(place / name) for name in more]
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = subprocess.run([str(BUILD / "tests/support/try_sandbox"), str(place / "logs/egress.jsonl"), str(place / "policy"), str(place / "ca"),
                               str(server.getsockname()[1]), *more], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    made = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    if "landlock" not in made["sandbox"]:
        pytest.skip("this kernel has no Landlock")
    return made


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    place = tmp_path_factory.mktemp("sandbox")
    made = tried(place)
    assert (place / "policy/enforce.yaml").read_text() == "allow: []\n"
    return made


@pytest.fixture(scope="module")
def console_attempts(tmp_path_factory):
    place = tmp_path_factory.mktemp("sandbox-console")
    (place / "logs").mkdir()
    (place / "logs/egress.jsonl.new").write_text("")  # which it may rename, and not write
    return tried(place, "state")


MAY = ["log_append", "log_new_file", "log_rename", "log_remove", "policy_read", "policy_list_read", "resolver_read", "trust_read", "null_write",
       "policy_watch", "connect", "thread", "lock_of_a_file", "routes"]
MAY_NOT_WITH_FILES = ["certificate_read", "key_read", "audit_key_read", "key_write", "ca_new_file", "policy_write", "policy_truncate",
                      "policy_new_file", "policy_remove",
                      "tmp_write", "etc_write", "other_read", "log_folder", "log_link", "log_socket", "bind"]
MAY_NOT_CALL = ["exec", "fork", "ptrace", "other_memory", "kill", "user_namespace", "net_namespace", "mount", "bpf", "raw_socket", "write_and_execute",
                "make_executable", "dumpable", "memfd", "setuid", "firewall", "path_socket", "listen", "signal_by_descriptor"]


CONSOLE_MAY = ["state_write", "state_remove", "certificate_read", "log_rename", "policy_read", "policy_list_read", "policy_write",
               "policy_new_file", "policy_remove", "resolver_read", "trust_read", "null_write", "connect", "thread"]
CONSOLE_MAY_NOT = ["log_append", "key_read", "audit_key_read", "key_write", "ca_new_file", "tmp_write", "etc_write", "other_read", "log_folder",
                   "log_link", "log_socket", "bind"]


@pytest.mark.parametrize("name", MAY)
def test_what_serving_takes_is_allowed(attempts, name):
    if attempts[name] == "EMFILE":
        pytest.skip("this machine's inotify instances are all in use")
    assert attempts[name] == "ok"


@pytest.mark.parametrize("name", MAY_NOT_WITH_FILES)
def test_other_files_are_refused(attempts, name):
    assert attempts[name] in ("EACCES", "EPERM", "ENOSYS"), attempts[name]


@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer's runtime does these")
@pytest.mark.parametrize("name", MAY_NOT_CALL)
def test_other_calls_are_refused(attempts, name):
    assert attempts[name] in ("EPERM", "ENOSYS"), attempts[name]


@pytest.mark.parametrize("name", CONSOLE_MAY)
def test_what_the_console_does_is_allowed(console_attempts, name):
    assert console_attempts[name] == "ok"


@pytest.mark.parametrize("name", CONSOLE_MAY_NOT)
def test_other_files_are_refused_to_the_console(console_attempts, name):
    assert console_attempts[name] in ("EACCES", "EPERM", "ENOSYS"), console_attempts[name]


@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer's runtime does these")
@pytest.mark.parametrize("name", MAY_NOT_CALL)
def test_other_calls_are_refused_to_the_console(console_attempts, name):
    assert console_attempts[name] in ("EPERM", "ENOSYS"), console_attempts[name]


def test_every_thread_of_the_console_is_confined(make_leash, make_console):
    leash = make_leash()
    console = make_console(leash, env={"LEASH_CONSOLE_TLS": "on"})
    pid = console.process.pid
    console.wait_for_leaf(leash.ca_file)
    assert console.get("/healthz", cafile=leash.ca_file).status == 200
    for process in (pid, keeper_of(pid), signer_of(pid)):
        for task in threads(process):
            assert (status(process, "NoNewPrivs", task), status(process, "Seccomp", task)) == ("1", "2"), (process, task)
    assert len(threads(pid)) >= 5
    assert "sandbox: landlock" in console.stderr() and "seccomp" in console.stderr()
    # What it says of the CA comes from the public file.
    assert console.request("GET", "/api/health", cafile=leash.ca_file).json()["ca"]["days_left"] > 0
    if not IS_SANITIZED:
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0  # not dumpable


def test_every_thread_of_every_process_is_confined(make_leash, world):
    leash = make_leash(mode="enforce", settings={"log_max_mb": 1}, args=["--workers", "3"], **world.options())
    Way(leash, world, "tunnel").conn.close()
    for pid in (leash.pid, keeper_of(leash.pid), signer_of(leash.pid)):
        for task in threads(pid):
            assert (status(pid, "NoNewPrivs", task), status(pid, "Seccomp", task)) == ("1", "2"), (pid, task)
    assert len(threads(leash.pid)) >= 5
    start = leash.log.lines(event="start")[0]
    assert start["sandbox"].startswith("landlock ") and start["sandbox"].endswith("seccomp")
    metrics = leash.metrics()
    assert metrics['leash_sandbox{part="landlock"}'] >= 1 and metrics['leash_sandbox{part="seccomp"}'] == 1
    assert f"sandbox: {start['sandbox']}" in leash.stderr()


def test_a_ca_in_a_readable_folder_is_told(make_leash):
    leash = make_leash(starts=False)
    leash.log_path = leash.directory / "egress.jsonl"  # beside the CA's folder
    leash.start()
    assert "Landlock does not keep it from the CA's key" in leash.stderr()


def test_unix_sockets_are_removed_at_the_end(make_leash):
    leash = make_leash(starts=False)
    admin, proxy, audit = (leash.directory / name for name in ("admin.sock", "proxy.sock", "audit.sock"))
    leash.args = ["--listen", f"unix:{proxy}"]
    leash.env = {"LEASH_AUDIT_SOCKET": str(audit)}
    leash.start()
    assert all(stat.S_ISSOCK(path.stat().st_mode) for path in (proxy, audit))
    leash.stop()
    assert not proxy.exists() and not audit.exists() and not admin.exists()


def test_policy_reached_by_links_is_read(make_leash, world, tmp_path):
    """A file, and a folder of lists, that are kept elsewhere."""
    leash = make_leash(starts=False, mode="enforce", **world.options())
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "lists").mkdir(parents=True)
    text = (leash.policy / "enforce.yaml").read_text()
    (leash.policy / "enforce.yaml").unlink()
    (elsewhere / "enforce.yaml").write_text("allow: []\n")
    (leash.policy / "enforce.yaml").symlink_to(elsewhere / "enforce.yaml")
    leash.start()

    def answer():
        with leash.connect() as conn:
            return conn.get(f"http://{world.plain_authority}/", world.plain_authority).status
    assert answer() == 403
    (elsewhere / "new.yaml").write_text(text)
    os.replace(elsewhere / "new.yaml", elsewhere / "enforce.yaml")
    wait_until(lambda: answer() == 200, "the new policy counts")
