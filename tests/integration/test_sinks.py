"""Audit lines beside the file: syslog and the stream socket; a slow or dead one costs nobody anything."""

import json
import os
import re
import socket
import threading

import pytest

from support.log import check_chain
from support.wait import DEADLINE, wait_until
from support.world import Way, World, marker

HEAD = re.compile(rb"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) leash (\d+) (\w+) - (\{.*\})", re.DOTALL)


@pytest.fixture
def world(pki):
    made = World(pki)
    yield made
    made.close()


def metric(leash, name, sink):
    found = re.search(rf'^{name}{{sink="{sink}"}} (\S+)$', leash.admin_get("/metrics")[1], re.MULTILINE)
    return float(found.group(1)) if found else None


def ask(leash, world, body=None):
    word = marker()
    with leash.connect() as conn:
        assert conn.get(f"http://{world.plain_authority}/{word}", world.plain_authority, method="POST" if body else "GET",
                        body=body).status == 200
    return word


class Daemon:
    """A syslog daemon that keeps what it gets, whole messages, in order."""

    def __init__(self, kind, directory):
        self.kind = kind
        self.path = str(directory / "log.sock")
        self.messages = []
        self.sock = None
        self.port = 0
        self.thread = None
        self.place = None
        if not kind.startswith("unix"):
            # Keeps the port while the daemon is away: nobody else is given it, the daemon may have it.
            self.place = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
            self.place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.place.bind(("127.0.0.1", 0))
            self.port = self.place.getsockname()[1]
        self.start()

    @property
    def setting(self):
        return f"unix:{self.path}" if self.kind.startswith("unix") else f"{self.kind}://127.0.0.1:{self.port}"

    def start(self):
        if self.kind.startswith("unix"):
            if os.path.exists(self.path):
                os.unlink(self.path)
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if self.kind == "unix datagram" else socket.SOCK_STREAM)
            self.sock.bind(self.path)
        else:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if self.kind == "udp" else socket.SOCK_STREAM)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind(("127.0.0.1", self.port))
        is_stream = self.sock.type == socket.SOCK_STREAM
        if is_stream:
            self.sock.listen()
        self.thread = threading.Thread(target=self._streams if is_stream else self._datagrams, args=(self.sock,), daemon=True)
        self.thread.start()

    def _datagrams(self, sock):
        while True:
            try:
                data = sock.recv(1 << 20)
            except OSError:
                return
            if not data:
                return
            self.messages.append(data)

    def _streams(self, listener):
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        self.peer = peer
        with peer, peer.makefile("rb") as stream:
            while True:
                try:
                    if self.kind == "tcp":
                        size = b""
                        while not size.endswith(b" "):
                            piece = stream.read(1)
                            if not piece:
                                return
                            size += piece
                        message = stream.read(int(size))
                        if len(message) < int(size):
                            return
                    else:
                        message = stream.readline()
                        if not message.endswith(b"\n"):
                            return
                        message = message[:-1]
                except OSError:
                    return
                self.messages.append(message)

    def stop(self):
        for sock in [self.sock] + ([self.peer] if hasattr(self, "peer") else []):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        self.thread.join(DEADLINE)

    def lines(self):
        return [HEAD.fullmatch(message).group(6) for message in list(self.messages)]


@pytest.fixture
def make_daemon(tmp_path):
    made = []

    def make(kind):
        made.append(Daemon(kind, tmp_path))
        return made[-1]
    yield make
    for daemon in made:
        daemon.stop()
        if daemon.place is not None:
            daemon.place.close()


KINDS = ["unix datagram", "unix stream", "udp", "tcp"]


@pytest.mark.parametrize("kind", KINDS)
def test_syslog_gets_each_line(make_leash, world, make_daemon, kind):
    """As RFC 5424 has it, byte for byte what is in the file: its chain can be checked."""
    daemon = make_daemon(kind)
    leash = make_leash(mode="enforce", env={"LEASH_SYSLOG": daemon.setting}, **world.options())
    wait_until(lambda: metric(leash, "leash_audit_sink_peers", "syslog") == 1)
    for _ in range(5):
        ask(leash, world)
    with leash.connect() as conn:
        conn.get(f"http://{world.denied_plain_authority}/", world.denied_plain_authority)
    leash.log.wait_for(event="blocked")
    pid = leash.pid
    # The end has a second for what still waits then, which are its own last lines.
    wait_until(lambda: len(daemon.messages) >= len(leash.log.raw_lines()))
    leash.stop()
    expected = leash.log.raw_lines()
    wait_until(lambda: len(daemon.messages) >= len(expected))
    assert daemon.lines() == expected
    check_chain(daemon.lines())
    for message in daemon.messages:
        found = HEAD.fullmatch(message)
        event = json.loads(found.group(6))["event"]
        assert int(found.group(1)) == 13 * 8 + (4 if event in ("blocked", "error") else 6)
        assert int(found.group(4)) == pid and found.group(5).decode() == event
        assert found.group(3).decode() == socket.gethostname()


@pytest.mark.parametrize("kind", ["unix datagram", "unix stream", "tcp"])
def test_syslog_daemon_that_restarts(make_leash, world, make_daemon, kind):
    """Lines wait while it is away; traffic does not."""
    daemon = make_daemon(kind)
    leash = make_leash(mode="enforce", env={"LEASH_SYSLOG": daemon.setting}, **world.options())
    first = ask(leash, world)
    wait_until(lambda: any(first.encode() in message for message in list(daemon.messages)))
    daemon.stop()
    if kind != "unix datagram":  # whose end is an error to whoever sends
        # What is sent before leash sees the end of a stream may go to the dead connection.
        wait_until(lambda: metric(leash, "leash_audit_sink_peers", "syslog") == 0)
    words = [ask(leash, world) for _ in range(5)]
    daemon.start()
    words.append(ask(leash, world))
    leash.log.wait_for(event="allowed", url=lambda url: url and words[-1] in url)
    for word in words:
        wait_until(lambda: any(word.encode() in message for message in list(daemon.messages)), f"line of {word}")
    leash.stop()
    leash.log.check_chain()


def test_line_too_long_for_a_datagram_is_shortened(make_leash, world, make_daemon):
    daemon = make_daemon("udp")
    leash = make_leash(mode="enforce", env={"LEASH_SYSLOG": daemon.setting}, **world.options())
    word = ask(leash, world, body=b"x" * 200_000)
    line = leash.log.wait_for(event="allowed", url=lambda url: url and word in url)
    wait_until(lambda: any(b'"allowed"' in message for message in list(daemon.messages)))
    sent = json.loads([text for text in daemon.lines() if b'"allowed"' in text][0])
    assert len(line["req_body"]) == 200_000
    assert sent.pop("shortened") is True
    assert sent == {key: value for key, value in line.items() if key not in ("req_headers", "res_headers", "req_body", "res_body")}


def test_dead_syslog_delays_nothing(make_leash, world, tmp_path):
    """Nobody is there, ever: traffic, the file and the end of the process are as without it."""
    leash = make_leash(mode="enforce", env={"LEASH_SYSLOG": f"unix:{tmp_path}/nobody"}, **world.options())
    for _ in range(20):
        ask(leash, world)
    assert metric(leash, "leash_audit_sink_peers", "syslog") == 0
    assert metric(leash, "leash_audit_sink_lines_total", "syslog") == 0
    leash.stop()
    assert leash.log.check_chain() > 40
    assert leash.stderr().count("cannot be reached, audit lines wait") == 1


# The socket


class Stream:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")

    def line(self):
        return self.file.readline()

    def close(self):
        self.file.close()
        self.sock.close()


@pytest.fixture
def streaming(make_leash, world):
    leash = make_leash(mode="enforce", starts=False, **world.options())
    path = leash.directory / "audit.sock"
    leash.env["LEASH_AUDIT_SOCKET"] = str(path)
    return leash.start(), path


def readers(leash, count):
    wait_until(lambda: metric(leash, "leash_audit_sink_peers", "socket") == count)


def lines_from_first(leash, got, since):
    """The file's lines from the first one that a reader got, which it must have by the mark. It may be an earlier one: a line is
    in the file before it goes to the readers."""
    lines = leash.log.raw_lines()
    first = lines.index(got.partition(b"\n")[0])
    assert first <= since
    return lines[first:]


def test_socket_streams_to_several_readers(streaming, world):
    leash, path = streaming
    assert path.stat().st_mode & 0o777 == 0o660
    ask(leash, world)
    leash.log.wait_for(event="allowed")
    first = Stream(path)
    readers(leash, 1)
    since = leash.log.mark()
    ask(leash, world)
    leash.log.wait_for(since, event="allowed")
    second = Stream(path)
    readers(leash, 2)
    later = leash.log.mark()
    second.sock.sendall(b"whatever a reader says\n")
    ask(leash, world)
    leash.stop()
    for reader, mark in ((first, since), (second, later)):
        got = reader.file.read()
        assert got == b"".join(line + b"\n" for line in lines_from_first(leash, got, mark))
    assert not path.exists()
    first.close()
    second.close()


def test_reader_that_comes_and_goes(streaming, world):
    leash, path = streaming
    for _ in range(3):
        stream = Stream(path)
        readers(leash, 1)
        word = ask(leash, world)
        while word.encode() not in stream.line():
            pass
        stream.close()
        readers(leash, 0)
    extra = [Stream(path) for _ in range(16)]
    readers(leash, 16)
    assert Stream(path).line() == b""  # one too many
    for stream in extra:
        stream.close()
    readers(leash, 0)
    ask(leash, world)


def test_slow_reader_misses_lines_and_is_told_which(streaming, world):
    """It reads nothing while much is written; the file and the other reader have all of it."""
    leash, path = streaming
    slow, quick = Stream(path), Stream(path)
    readers(leash, 2)
    since = leash.log.mark()
    got = []
    reading = threading.Thread(target=lambda: got.extend(quick.file), daemon=True)
    reading.start()
    body = os.urandom(100_000).hex().encode()

    def ask_and_get(body=None):
        # Before the next one, since what all readers are behind with has its bound too.
        start = len(got)
        word = ask(leash, world, body).encode()
        wait_until(lambda: any(word in line and b'"event": "allowed"' in line[:80] for line in got[start:]), f"the quick reader has {word}")
    turns = 0
    while not metric(leash, "leash_audit_sink_lost_total", "socket"):
        ask_and_get(body)
        turns += 1
        assert turns < 200
    ask_and_get()
    assert leash.rss_mib < 300
    # once it reads, it is told what it missed, and goes on behind it
    had, gap = [], None
    while gap is None:
        line = slow.line()
        gap = json.loads(line) if b'"event": "gap"' in line[:80] else None
        had.append(line[:-1])
    had.pop()
    assert lines_from_first(leash, had[0], since)[:len(had)] == had
    assert gap["first"] == json.loads(had[-1])["seq"] + 1 and gap["lines"] == gap["last"] - gap["first"] + 1
    word = ask(leash, world)
    following = slow.line()
    assert json.loads(following)["seq"] == gap["last"] + 1
    while word.encode() not in following:
        following = slow.line()
    assert metric(leash, "leash_audit_sink_lost_total", "socket") == gap["lines"]
    leash.stop()
    reading.join(DEADLINE)
    assert [line[:-1] for line in got] == lines_from_first(leash, got[0], since)
    slow.close()
    quick.close()


def test_socket_path_that_is_taken(make_leash, world, tmp_path):
    (tmp_path / "taken").write_text("a file")
    leash = make_leash(mode="enforce", starts=False, env={"LEASH_AUDIT_SOCKET": str(tmp_path / "taken")}, **world.options())
    leash.spawn()
    assert leash.wait_for_exit() == 2 and "taken" in leash.stderr()
    leash.process.stderr.close()
    leash.process = None


def test_tunnels_and_websockets_have_their_lines_there_too(streaming, world):
    leash, path = streaming
    stream = Stream(path)
    readers(leash, 1)
    way = Way(leash, world, "tunnel")
    way.legal()
    way.conn.close()
    leash.log.wait_for(event="tunnel_closed")
    events = []
    while "tunnel_closed" not in events:
        events.append(json.loads(stream.line())["event"])
    assert {"connect_allowed", "request", "allowed"} <= set(events)
    stream.close()
