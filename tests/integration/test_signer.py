"""The CA's key lives in a process of its own: who opens it, what becomes of leash when that process dies."""

import os
import re
import signal
import ssl

import pytest

from support.leash import LEASH, run_leash
from support.processes import descriptors, is_there, keeper_of, signer_of, status, threads
from support.wait import IS_SANITIZED, wait_until
from support.world import Way, World


@pytest.fixture(scope="module")
def world(pki):
    made = World(pki)
    yield made
    made.close()


def get(leash, world):
    way = Way(leash, world, "tunnel")
    try:
        way.legal()
    finally:
        way.conn.close()


@pytest.mark.skipif(IS_SANITIZED, reason="the leak check cannot run under strace")
def test_the_proxy_never_opens_the_key(make_leash, world, tmp_path):
    """From its first start on, which makes the key, to its end. The program that strace runs is the proxy."""
    trace = tmp_path / "trace"
    script = tmp_path / "traced"
    script.write_text(f'#!/bin/sh\nexec strace -D -f -qq -s 256 -e trace=open,openat,openat2,rename,renameat2,link,execve,clone,fork,vfork -o {trace} "{LEASH}" "$@"\n')
    script.chmod(0o755)
    leash = make_leash(command=str(script), mode="enforce", **world.options())
    get(leash, world)
    proxy, keeper, signer = leash.pid, keeper_of(leash.pid), signer_of(leash.pid)
    assert keeper and signer
    tasks = threads(proxy)
    leash.stop()
    opened = {}
    for line in trace.read_text().splitlines():
        pid, call = line.split(None, 1)
        if "leash-ca-key.pem" in call:
            opened.setdefault(int(pid), []).append(call)
    assert set(opened) == {signer}, opened
    assert not set(tasks) & set(opened) and len(tasks) > 2
    # Nor does it get the key any other way: it runs nothing.
    ran = {int(line.split(None, 1)[0]) for line in trace.read_text().splitlines() if re.match(r"\d+ +execve\(", line)}
    assert ran <= {proxy, keeper, signer}
    key = leash.ca_dir / "leash-ca-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600


def test_each_process_is_confined(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    get(leash, world)
    keeper, signer = keeper_of(leash.pid), signer_of(leash.pid)
    for pid in (keeper, signer):
        assert status(pid, "NoNewPrivs") == "1"
        assert status(pid, "Seccomp") == "2"
    # Nothing but its sockets and stderr: no listener, no log, no key.
    kinds = [what for number, what in descriptors(signer).items() if number > 2]
    assert kinds and all(kind.startswith("socket:") for kind in kinds), kinds
    if not IS_SANITIZED:
        assert os.stat(f"/proc/{signer}/mem").st_uid == 0  # not dumpable: root's, whoever runs it


def test_a_dead_signer_is_started_again(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    get(leash, world)
    first = signer_of(leash.pid)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: signer_of(leash.pid) not in (None, first), "there is a new signer")
    # A name that no leaf is kept for.
    leash.tunnel("sub.allow.test", world.tls.port).close()
    wait_until(lambda: leash.metrics()["leash_signer_restarts_total"] == 1, "the restart is counted")
    assert "signer: ended by signal 9" in leash.stderr()
    assert leash.admin_get("/readyz")[0] == 200


def test_without_signer_and_keeper_the_answer_is_clear(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    get(leash, world)
    keeper, signer = keeper_of(leash.pid), signer_of(leash.pid)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: not is_there(signer), "the signer has ended with its keeper")
    wait_until(lambda: leash.admin_get("/readyz")[0] == 503, "leash is not ready")
    assert "the signer is gone" in leash.admin_get("/readyz")[1]
    get(leash, world)  # its leaf is kept
    with pytest.raises((ssl.SSLError, OSError)):
        leash.tunnel("sub.allow.test", world.tls.port)
    reason = leash.log.wait_for(event="error")["reason"]
    assert reason.startswith("signer_unavailable: the signer has ended"), reason


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_signer_ends_with_the_proxy(make_leash, world, number):
    leash = make_leash(mode="enforce", **world.options())
    get(leash, world)
    helpers = [keeper_of(leash.pid), signer_of(leash.pid)]
    if number == signal.SIGKILL:
        leash.kill()
    else:
        leash.stop()
    wait_until(lambda: not any(is_there(pid) for pid in helpers), "keeper and signer have ended")


def test_the_signer_is_no_program_for_people():
    for word in ("--signer", "--signer-keeper"):
        code, _, err = run_leash([word, "/nowhere", "1", "00"])
        assert code == 2 and "started by leash alone" in err
