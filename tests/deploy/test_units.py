"""The units of systemd/ under the systemd that they are for: activation, restarts, the watchdog, the sandbox, a reboot."""

import re
import threading
from pathlib import Path

import pytest

from machine import Machine, Network
from support.wait import wait_until

# A leash that drains closes on a client that says nothing for a second. One that the machine has held up between its
# connection and its request is then no witness against leash, and says so.
HELD_UP = "held up"
ASK = rf"""
import socket, time
begin = time.monotonic()
with socket.create_connection(("127.0.0.1", 8080), 20) as sock:
    try:
        try:
            sock.sendall(b"GET http://nobody.test/ HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n")
        finally:
            pause = time.monotonic() - begin
        print(sock.recv(4096).split(b" ")[1].decode())
    except (OSError, IndexError):
        if pause <= 0.5:
            raise
        print("{HELD_UP}")
"""


@pytest.fixture(scope="module")
def machine(debian):
    network = Network("units")
    made = Machine(debian, network)
    try:
        made.boot()
        made.setup()
        yield made
    finally:
        made.close()
        network.close()


def main_pid(machine):
    return int(machine.check("systemctl", "show", "-P", "MainPID", "leash").strip())


def restarts(machine):
    return int(machine.check("systemctl", "show", "-P", "NRestarts", "leash").strip())


def ask(machine):
    """The status of a request that no rule allows; what fails is told by its exception."""
    done = machine.network.run("/usr/bin/python3", "-c", ASK)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def ask_steadily(machine, is_over, answers):
    while not is_over.is_set():
        answer = ask(machine)
        if answer != HELD_UP:
            answers.append(answer)


def test_a_connection_starts_leash(machine):
    machine.check("systemctl", "stop", "leash.service")
    assert not machine.is_active("leash.service") and machine.is_active("leash.socket")
    assert ask(machine) == "403"
    assert machine.is_active("leash.service")


def test_a_restart_refuses_nobody(machine):
    is_over, answers = threading.Event(), []
    clients = [threading.Thread(target=ask_steadily, args=(machine, is_over, answers)) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        for _ in range(2):
            before = len(answers)
            machine.check("systemctl", "restart", "leash.service")
            wait_until(lambda before=before: len(answers) > before + 4, "clients are served")
    finally:
        is_over.set()
        for client in clients:
            client.join()
    assert set(answers) == {"403"}


def test_after_a_crash_it_is_there_again(machine):
    count, pid = restarts(machine), main_pid(machine)
    machine.check("systemctl", "kill", "--kill-who=main", "-s", "KILL", "leash.service")
    wait_until(lambda: restarts(machine) == count + 1 and main_pid(machine) not in (0, pid), "a restart")
    assert ask(machine) == "403"
    machine.check("leashctl", "verify", "/var/log/leash/egress.jsonl", "--key", "/var/lib/leash/ca/leash-audit-key.pub.pem")


def test_the_watchdog_ends_a_leash_that_hangs(machine):
    machine.write("/run/systemd/system/leash.service.d/watchdog.conf", "[Service]\nWatchdogSec=2\n")
    machine.check("systemctl", "daemon-reload")
    machine.check("systemctl", "restart", "leash")
    count = restarts(machine)
    machine.check("systemctl", "kill", "--kill-who=main", "-s", "STOP", "leash.service")
    wait_until(lambda: restarts(machine) == count + 1, "the watchdog", 120)
    wait_until(lambda: machine.is_active("leash.service"), "leash is back")
    assert ask(machine) == "403"
    assert "Watchdog timeout" in machine.journal()
    machine.check("rm", "-r", "/run/systemd/system/leash.service.d")
    machine.check("systemctl", "daemon-reload")
    machine.check("systemctl", "restart", "leash")


def test_a_reload_is_an_upgrade(machine):
    """A new main process, at whose hands nobody is refused, writes on; here into a new file, since the old one was moved."""
    pid, count = main_pid(machine), restarts(machine)
    is_over, answers = threading.Event(), []
    client = threading.Thread(target=ask_steadily, args=(machine, is_over, answers))
    client.start()
    try:
        machine.check("mv", "/var/log/leash/egress.jsonl", "/var/log/leash/egress.jsonl.1")
        machine.check("systemctl", "reload", "leash")
        wait_until(lambda: main_pid(machine) not in (0, pid), "systemd follows the new process")
        wait_until(lambda: machine.run("test", "-e", f"/proc/{pid}").returncode != 0, "the old one has ended", 120)
        before = len(answers)
        wait_until(lambda: len(answers) > before + 2, "clients are served")
    finally:
        is_over.set()
        client.join()
    assert set(answers) == {"403"}
    assert machine.is_active("leash.service") and restarts(machine) == count
    machine.check("leashctl", "verify", "/var/log/leash/egress.jsonl.1", "/var/log/leash/egress.jsonl")


def test_it_runs_without_rights(machine):
    """Each process of the service, as the kernel sees it."""
    for pid in machine.check("pgrep", "-u", "leash").split():
        status = dict(re.findall(r"^(\w+):\s*(.*)$", machine.read(f"/proc/{pid}/status"), re.MULTILINE))
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", pid
        assert all(int(status[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")), status
        assert status["Uid"].split()[0] != "0"


def test_it_can_write_its_folders_and_nothing_else(machine):
    """What the process itself would be allowed to: from within its mount namespace."""
    pid = main_pid(machine)
    mounts = Path(f"/proc/{machine.leader}/root/proc/{pid}/mounts").read_text()
    root = [line.split() for line in mounts.splitlines() if line.split()[1] == "/"][-1]
    assert "ro" in root[3].split(",")
    for path in ("/var/log/leash", "/var/lib/leash", "/run/leash"):
        [mount] = [line.split() for line in mounts.splitlines() if line.split()[1] == path][-1:]
        assert "rw" in mount[3].split(","), path


def test_after_a_reboot_all_is_there(machine):
    chain = wait_until(lambda: machine.run("leashctl", "checkpoint").stdout, "a checkpoint in the new log", 60)
    machine.reboot()
    wait_until(lambda: machine.is_active("leash.socket") and machine.is_active("leash-firewall.service"), "units after the boot")
    assert "table inet leash" in machine.check("nft", "list", "tables")
    assert ask(machine) == "403"
    wait_until(lambda: machine.is_active("leash.service"), "leash after the boot")
    assert "no findings" in machine.check("leashctl", "doctor")
    machine.write("/run/witness", chain)
    machine.check("leashctl", "verify", "/var/log/leash/egress.jsonl.1", "/var/log/leash/egress.jsonl", "--witness", "/run/witness")
