"""The intent is on record before anything leaves, whatever carries it, and one outcome closes it, whatever ends it."""

import base64
import collections
import hashlib
import json
import signal
import socket
import ssl
import struct
import threading

import pytest
from hyperframe.frame import Frame, PingFrame

from support.h2 import H2Client, H2Origin
from support.http import Closed
from support.log import Log
from support.origin import message, server_context
from support.wait import DEADLINE, wait_until
from support.world import Way, World, marker


@pytest.fixture
def world(pki):
    made = World(pki)
    yield made
    made.close()


def on_record(leash, level, **wanted):
    """What was there at the moment when an origin got a byte: in the file; with sync, on the disk."""
    if level == "sync":
        lines = leash.surviving().get("egress.jsonl", b"").split(b"\n")[:-1]
    else:
        lines = Log(leash.log_path).raw_lines()
    return [line for line in map(json.loads, lines) if all(line.get(key) == value for key, value in wanted.items())]


LEVELS = pytest.mark.parametrize("level", ["write", "sync"])


@LEVELS
@pytest.mark.parametrize("via", ["plain", "tunnel", "websocket", "h2 stream"])
def test_request_is_on_record_before_it_leaves(make_disk_leash, world, level, via):
    leash = make_disk_leash(mode="enforce", env={"LEASH_AUDIT": level}, **world.options())
    origin, authority = (world.plain, world.plain_authority) if via == "plain" else (world.tls, world.tls_authority)
    word, found = marker(), []

    def script(exchange):
        found.append(on_record(leash, level, event="request", url=f"{'http' if via == 'plain' else 'https'}://{authority}/{word}"))
        if via == "websocket":
            key = exchange.request.get("sec-websocket-key").encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                          + base64.b64encode(hashlib.sha1(key).digest()) + b"\r\n\r\n")
            exchange.close()
        else:
            exchange.send(message(body=b"ok"))
    origin.on(f"/{word}", script)
    if via == "h2 stream":
        conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
        client = H2Client(conn)
        answers = [client.responses[client.request(authority, path)] for path in ("/other", f"/{word}", "/another")]
        client.wait(lambda: all(answer.is_ended for answer in answers))
        assert {answer.status for answer in answers} == {200}
        conn.close()
    else:
        way = Way(leash, world, "plain" if via == "plain" else "tunnel")
        fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                  ("Sec-WebSocket-Version", "13")] if via == "websocket" else []
        assert way.conn.get(way.target(f"/{word}"), way.host, headers=fields).status == (101 if via == "websocket" else 200)
        way.conn.close()
    assert [len(lines) for lines in found] == [1], "the origin had the request before the record"


@LEVELS
def test_stream_to_an_origin_that_speaks_h2_is_on_record_before(make_disk_leash, pki, level):
    found = []

    def answer(request):
        path = dict(request["fields"])[":path"]
        found.append((path, len(on_record(leash, level, event="request", url=f"https://two.test:{origin.port}{path}"))))
        return 200, [("content-type", "text/plain")], b"ok"
    with H2Origin(server_context(pki.issue("two.test"), ("h2",)), answer) as origin:
        leash = make_disk_leash(mode="audit", env={"LEASH_AUDIT": level}, hosts={"two.test": "127.0.0.1"})
        conn = leash.tunnel("two.test", origin.port, alpn=("h2",))
        client = H2Client(conn)
        answers = [client.responses[client.request(f"two.test:{origin.port}", f"/{number}")] for number in range(5)]
        client.wait(lambda: all(answer.is_ended for answer in answers))
        conn.close()
    assert sorted(found) == [(f"/{number}", 1) for number in range(5)]


@LEVELS
@pytest.mark.parametrize("tls", ["splice", "intercept"])
def test_tunnel_is_on_record_before_the_origin_is_dialled(make_disk_leash, world, level, tls):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(DEADLINE)
    port = listener.getsockname()[1]
    entry = {"host": world.ALLOWED, "ports": [port]}
    leash = make_disk_leash(mode="enforce", env={"LEASH_AUDIT": level}, allow=[dict(entry, tls="splice") if tls == "splice" else entry],
                            hosts=world.hosts)
    with leash.connect() as conn:
        if tls == "splice":  # dialled once the ClientHello has been read
            assert conn.connect(f"{world.ALLOWED}:{port}").status == 200
            hello = ssl.MemoryBIO()
            agent = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname=world.ALLOWED)
            with pytest.raises(ssl.SSLWantReadError):
                agent.do_handshake()
            conn.send(hello.read())
        else:
            conn.send(f"CONNECT {world.ALLOWED}:{port} HTTP/1.1\r\nHost: {world.ALLOWED}:{port}\r\n\r\n")
        peer, _ = listener.accept()
        assert len(on_record(leash, level, event="connect_allowed", host=world.ALLOWED, port=port)) == 1
        peer.close()
    listener.close()


SPEECHES = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "half a request": b"GET http://allow.test/ HT",
    "half a CONNECT": b"CONNECT allow.test:4",
    "NUL bytes": bytes(100),
    "half a ClientHello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SOCKS": b"\x05\x01\x00",
}


@pytest.fixture(scope="module")
def one_leash(module_leash):
    return module_leash(mode="enforce")


@pytest.mark.parametrize("ending", ["closed", "reset"])
@pytest.mark.parametrize("speech", SPEECHES)
def test_each_connection_leaves_a_line(one_leash, speech, ending):
    """Also one that says nothing, or nothing that means anything."""
    leash = one_leash
    since = leash.log.mark()
    conn = leash.connect()
    conn.send(SPEECHES[speech])
    if ending == "reset":
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()
    line = leash.log.wait_for(since, event="error")
    assert line["client"] == "127.0.0.1" and line["reason"]


def outcomes_of(lines):
    """id -> events, of requests and of tunnels; websocket_closed comes on top of an outcome."""
    opened, closed = {}, collections.defaultdict(list)
    for line in lines:
        if line["event"] in ("request", "connect_allowed"):
            assert line["id"] not in opened
            opened[line["id"]] = line["event"]
        elif line["event"] in ("allowed", "blocked", "error", "tunnel_closed"):
            closed[line["id"]].append(line["event"])
    return opened, closed


def answer_pings(conn):
    """Reads frames to the end. Python's h2 takes nothing more after a GOAWAY, and leash waits for the answer to its PING."""
    try:
        while True:
            head = conn.reader.exactly(9)
            frame, length = Frame.parse_frame_header(memoryview(head))
            frame.parse_body(memoryview(conn.reader.exactly(length)))
            if isinstance(frame, PingFrame) and "ACK" not in frame.flags:
                conn.send(PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"]).serialize())
    except (Closed, OSError):
        pass


@pytest.mark.parametrize("drain_time", ["300ms", "20s"], ids=["cut", "finished"])
def test_each_intent_has_one_outcome_also_when_leash_drains(make_leash, world, drain_time):
    """Requests in each state: done, waiting for an answer, in the middle of one, in the middle of a body; h1 and h2."""
    leash = make_leash(mode="enforce", settings={"limits": {"drain_time": drain_time}}, **world.options())
    gate, arrived = threading.Event(), []

    def silent(exchange):
        arrived.append(1)
        gate.wait(DEADLINE)
        exchange.send(message(body=b"late"))

    def halfway(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nfirst")
        arrived.append(1)
        gate.wait(DEADLINE)
        exchange.send(b" half")
    for origin in (world.tls, world.plain):
        origin.on("/silent", silent).on("/halfway", halfway)
    ways = []
    for via in ("plain", "tunnel"):
        for path in ("/silent", "/halfway"):
            way = Way(leash, world, via)
            way.legal()
            way.conn.send(f"GET {way.target(path)} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
            ways.append(way.conn)
    idle = Way(leash, world, "tunnel")
    idle.legal()
    ways.append(idle.conn)
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    client = H2Client(conn)
    for path in ("/silent", "/halfway", "/silent"):
        client.request(world.tls_authority, path)
    ways.append(conn)
    wait_until(lambda: len(arrived) == 7)
    leash.signal(signal.SIGTERM)
    if drain_time == "20s":
        wait_until(lambda: leash.admin_get("/readyz")[0] == 503)
        gate.set()
        threading.Thread(target=answer_pings, args=(conn,), daemon=True).start()
        for way in ways[:-1]:
            threading.Thread(target=way.read_to_end, daemon=True).start()
    assert leash.wait_for_exit() == 0
    gate.set()
    lines = leash.log.lines()
    opened, closed = outcomes_of(lines)
    assert collections.Counter(opened.values()) == {"request": 12, "connect_allowed": 4}
    for id, event in opened.items():
        assert len(closed[id]) == 1, (event, closed[id], [line for line in lines if line.get("id") == id])
        assert (closed[id] == ["tunnel_closed"]) == (event == "connect_allowed")
    words = collections.Counter(event for events in closed.values() for event in events)
    assert words["error"] == (7 if drain_time == "300ms" else 0), words
    assert lines[-1]["event"] in ("stop", "checkpoint")
    leash.log.check_chain()
    for way in ways:
        way.close()
