"""The units of systemd/, and what systemd does with leash, by a stand-in that hands over sockets as it does."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from support.leash import LEASH, ROOT
from support.pace import Pace, ask
from support.wait import DEADLINE, wait_until
from support.world import World

UNITS = ROOT / "systemd"
needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


@needs_analyze
def test_units_are_valid(tmp_path):
    for name in ("leash.service", "leash.socket"):
        text = (UNITS / name).read_text()
        # Where a distribution puts it; here it is where it was built.
        (tmp_path / name).write_text(text.replace("/usr/local/bin/leash", os.path.realpath(LEASH)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(tmp_path / "leash.service"), str(tmp_path / "leash.socket")],
                          capture_output=True, text=True, timeout=DEADLINE)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "leash" in line]
    assert done.returncode == 0 and said == [], done.stderr


@needs_analyze
def test_exposure_is_below_two():
    """systemd's own measure, 0 to 10; the threshold counts in tenths."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(UNITS / "leash.service")],
                          capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stdout[-400:]
    assert re.search(r"Overall exposure level for leash.service: [01]\.\d", done.stdout)


def test_service_has_its_limits():
    text = (UNITS / "leash.service").read_text()
    for line in ("Type=notify", "User=leash", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "ProtectSystem=strict", "LimitCORE=0"):
        assert f"\n{line}\n" in text, line
    for key in ("MemoryMax=", "LimitNOFILE=", "WatchdogSec=", "SystemCallFilter="):
        assert f"\n{key}" in text, key


# Socket activation


class Manager:
    """Holds sockets that listen, and starts leashes with them as sd_listen_fds(3) says."""

    def __init__(self, directory):
        self.sockets = []
        self.launcher = directory / "launcher"

    def add(self, sock):
        self.sockets.append(sock)
        return sock

    def write_launcher(self, pid="$$", count=None):
        """A program that becomes leash with the sockets as descriptors 3 and following."""
        lines = ["#!/bin/bash"]
        # First out of the way: one of them may be 3 by chance.
        away = 1 + max([3 + len(self.sockets), *(sock.fileno() for sock in self.sockets)])
        lines += [f"exec {away + index}<&{sock.fileno()}" for index, sock in enumerate(self.sockets)]
        lines += [f"exec {3 + index}<&{away + index} {away + index}<&-" for index in range(len(self.sockets))]
        lines += [f"export LISTEN_PID={pid} LISTEN_FDS={len(self.sockets) if count is None else count}", f'exec "{LEASH}" "$@"']
        self.launcher.write_text("\n".join(lines) + "\n")
        self.launcher.chmod(0o755)

    def options(self):
        return {"command": str(self.launcher), "pass_fds": [sock.fileno() for sock in self.sockets]}

    def close(self):
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(pki):
    made = World(pki)
    yield made
    made.close()


def tcp_socket():
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


@pytest.mark.parametrize("workers", [1, 3])
def test_inherited_sockets_are_used_instead_of_own_ones(make_leash, manager, world, tmp_path, workers):
    tcp = manager.add(tcp_socket())
    path = str(tmp_path / "proxy.sock")
    unix = manager.add(socket.socket(socket.AF_UNIX))
    unix.bind(path)
    unix.listen()
    manager.write_launcher()
    leash = make_leash(args=["--workers", str(workers)], **world.options(), **manager.options())
    assert leash.address == tcp.getsockname()
    for _ in range(8):
        assert ask(tcp.getsockname(), world.plain_authority) == 200
        assert ask(path, world.plain_authority) == 200
    assert len([line for line in leash.errors if "listening on" in line]) == 2
    # Its own port is no target, whatever the rules open.
    leash.set_allow([{"host": "127.0.0.1", "ports": [tcp.getsockname()[1]]}])
    assert ask(tcp.getsockname(), f"127.0.0.1:{tcp.getsockname()[1]}") == 403
    leash.stop()
    assert os.path.exists(path)  # systemd's, not leash's


def test_sockets_for_another_process_are_not_touched(make_leash, manager, world):
    tcp = manager.add(tcp_socket())
    manager.write_launcher(pid="1")
    leash = make_leash(**world.options(), **manager.options())
    assert leash.address != tcp.getsockname()


def test_a_descriptor_that_does_not_listen_stops_the_start(make_leash, manager, world):
    manager.add(socket.socket())
    manager.write_launcher()
    leash = make_leash(starts=False, **world.options(), **manager.options())
    leash.spawn()
    assert leash.wait_for_exit() == 2
    assert "does not listen" in leash.stderr()
    leash.process = None


def test_no_connection_is_refused_while_leash_restarts(make_leash, manager, world):
    """Whoever comes between two leashes waits in the queue of systemd's socket."""
    tcp = manager.add(tcp_socket())
    manager.write_launcher()
    leash = make_leash(args=["--workers", "2"], **world.options(), **manager.options())
    is_over = threading.Event()
    served, failures = [], []

    def come_steadily():
        while not is_over.is_set():
            pace = Pace()
            try:
                served.append(ask(tcp.getsockname(), world.plain_authority, pace))
            except Exception as error:  # pylint: disable=broad-except
                if not pace.excuses(error):
                    failures.append(repr(error))

    clients = [threading.Thread(target=come_steadily) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(3):
            before = len(served)
            wait_until(lambda before=before: len(served) > before + 20, "clients are served")
            leash.signal(signal.SIGTERM)
            assert leash.wait_for_exit() == 0
            leash.process.stderr.close()
            leash.start()
        before = len(served)
        wait_until(lambda: len(served) > before + 20, "clients are served again")
    finally:
        is_over.set()
        for client in clients:
            client.join()
    assert not [failure for failure in failures if "Refused" in failure], failures
    assert failures == [] and set(served) == {200}
