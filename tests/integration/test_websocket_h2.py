"""WebSocket over HTTP/2 to the origin (RFC 8441), for clients of either version; HTTP/1.1 where the origin's HTTP/2 has none."""

import os
import struct
import threading

import pytest
from hyperframe.frame import Frame, HeadersFrame

from support.h2 import H2Client, H2WebSocketOrigin
from support.http import Closed, Reader
from support.origin import server_context
from support.wait import DEADLINE
from support.websocket import BINARY, CLOSE, TEXT, frame, read_frame
from support.world import marker
from test_websocket import accepting, closed_line, echo

HOST = "ws.test"
CLOSED = frame(CLOSE, struct.pack(">H", 1000))


class FrameEcho:
    """Sends each whole frame back unmasked; ends after a close frame."""

    def __init__(self):
        self.buffers = {}

    def __call__(self, stream, data):
        self.buffers[stream] = self.buffers.get(stream, b"") + data
        out = b""
        while True:
            buffered = [self.buffers[stream], b""]
            reader = Reader(lambda: buffered.pop(0) if buffered else b"")
            try:
                opcode, payload = read_frame(reader)
            except Closed:
                return out
            self.buffers[stream] = bytes(reader.buffer)
            out += frame(opcode, payload, masked=False)


@pytest.fixture
def start(make_leash, pki):
    """A leash with one origin: (leash, origin)."""
    made = []

    def run(alpn=("h2", "http/1.1"), talk=None, env=None, **options):
        origin = H2WebSocketOrigin(server_context(pki.issue(HOST), alpn), talk or FrameEcho(), **options)
        made.append(origin)
        leash = make_leash(mode="enforce", allow=[{"host": HOST, "ports": [origin.port]}], hosts={HOST: "127.0.0.1"}, env=env)
        return leash, origin
    yield run
    for origin in made:
        origin.close()


class Client:
    """One WebSocket, over HTTP/1.1 or HTTP/2 to leash."""

    def __init__(self, leash, origin, version, word):
        self.conn = leash.tunnel(HOST, origin.port, alpn=("h2",) if version == "h2" else ("http/1.1",))
        authority = f"{HOST}:{origin.port}"
        self.taken = 0  # bytes of the answer
        if version == "h2":
            self.h2 = H2Client(self.conn)
            self.stream = self.h2.raw_request([
                (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", authority),
                (":path", f"/{word}"), ("sec-websocket-version", "13"), ("x-a", "b"),
                ("sec-websocket-protocol", "chat"), ("sec-websocket-extensions", "permessage-deflate")], ends=False)
            self.answer = self.h2.responses[self.stream]
            self.h2.wait(lambda: self.answer.status is not None or self.answer.reset is not None)
            self.status = {200: 101}.get(self.answer.status, self.answer.status)
            self.reader = Reader(self._body)
        else:
            self.h2 = None
            self.answer = self.conn.ask(
                f"GET /{word} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-A: b\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
            self.status = self.answer.status
            self.reader = self.conn.reader

    def _body(self):
        def at_hand():
            return len(self.answer.body) > self.taken or self.answer.is_ended or self.answer.reset is not None
        self.h2.wait(at_hand)
        fresh = bytes(self.answer.body[self.taken:])
        self.taken += len(fresh)
        return fresh

    def send(self, data):
        if self.h2:
            self.h2.send_body(self.stream, data, ends=False)
        else:
            self.conn.send(data)

    def close(self):
        self.conn.close()


BOTH = pytest.mark.parametrize("version", ["h1", "h2"])


@BOTH
@pytest.mark.parametrize("alpn", [("h2", "http/1.1"), ("h2",)], ids=["both", "h2 only"])
def test_extended_connect_reaches_an_origin_that_offers_it(start, version, alpn):
    leash, origin = start(alpn, fields=[("sec-websocket-protocol", "chat")])
    word = marker()
    client = Client(leash, origin, version, word)
    assert client.status == 101
    if version == "h1":
        assert client.answer.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert client.answer.get("sec-websocket-protocol") == "chat"
    for payload in (b"hello", b"x" * 300, os.urandom(300_000)):
        client.send(frame(BINARY, payload))
        assert read_frame(client.reader) == (BINARY, payload)
    client.send(CLOSED)
    assert read_frame(client.reader)[0] == CLOSE
    client.close()
    fields = dict(origin.by_path(f"/{word}")[0]["fields"])
    assert (fields[":method"], fields[":protocol"], fields[":scheme"]) == ("CONNECT", "websocket", "https")
    assert fields[":authority"] == f"{HOST}:{origin.port}" and fields["x-a"] == "b"
    assert fields["sec-websocket-version"] == "13" and fields["sec-websocket-extensions"] == "permessage-deflate"
    assert not {"upgrade", "connection", "sec-websocket-key", "host"} & set(fields)
    line = closed_line(leash, word)
    assert (line["messages_up"], line["messages_down"], line["close_code_up"]) == (3, 3, 1000)
    shake = leash.log.wait_for(event="allowed", id=line["id"])
    assert (shake["status"], shake["method"], shake["alpn"]) == (101, "GET", "h2")
    assert len(leash.log.lines(event="request")) == 1 and origin.connections == 1


@BOTH
def test_websockets_and_requests_share_the_connection(start, version):
    leash, origin = start()
    words = [marker() for _ in range(3)]
    clients = [Client(leash, origin, version, word) for word in words]
    for at, client in enumerate(clients):
        client.send(frame(TEXT, b"%d" % at))
    for at, client in enumerate(clients):
        assert read_frame(client.reader) == (TEXT, b"%d" % at)
        client.close()
    for word in words:
        closed_line(leash, word)


@BOTH
def test_http1_where_http2_has_no_websockets(start, version):
    leash, origin = start(is_offering=False)
    word = marker()
    origin.on(f"/{word}", accepting(echo))
    client = Client(leash, origin, version, word)
    assert client.status == 101
    client.send(frame(TEXT, b"over http/1.1"))
    assert read_frame(client.reader) == (TEXT, b"over http/1.1")
    client.close()
    line = closed_line(leash, word)
    assert leash.log.wait_for(event="allowed", id=line["id"])["alpn"] == "http/1.1"
    assert len(leash.log.lines(event="request", id=line["id"])) == 1


@BOTH
def test_a_refusal_of_the_origin_is_an_ordinary_answer(start, version):
    leash, origin = start(status=403)
    word = marker()
    client = Client(leash, origin, version, word)
    assert client.status == 403
    client.close()
    assert leash.log.wait_for(event="allowed", url=lambda url: url and word in url)["status"] == 403
    assert not leash.log.lines(event="websocket_closed")


@BOTH
@pytest.mark.parametrize("talk", [lambda stream, data: frame(TEXT, b"masked"), lambda stream, data: "reset"],
                         ids=["broken frame", "reset"])
def test_what_breaks_at_the_origin_ends_it(start, version, talk):
    leash, origin = start(talk=talk)
    word = marker()
    client = Client(leash, origin, version, word)
    assert client.status == 101
    client.send(frame(TEXT, b"hello"))
    if version == "h2":
        client.h2.wait(lambda: client.answer.reset is not None)
        assert not client.answer.body
    else:
        assert client.conn.read_to_end() == b""
    client.close()
    assert closed_line(leash, word)["reason"].startswith("bad_websocket_frame" if talk(1, b"") != "reset" else "reset")


@BOTH
def test_a_policy_change_resets_the_stream_at_the_origin(start, version):
    leash, origin = start()
    word = marker()
    client = Client(leash, origin, version, word)
    client.send(frame(TEXT, b"hello"))
    assert read_frame(client.reader) == (TEXT, b"hello")
    leash.set_allow([])
    assert "not_in_allowlist" in closed_line(leash, word)["reason"]
    origin.wait_for(lambda _: origin.resets, "a reset")
    client.close()


@BOTH
def test_it_waits_for_the_origins_settings(start, version):
    """Before SETTINGS the origin has not said whether it takes extended CONNECT: nothing is sent."""
    released, seen = threading.Event(), []

    def gate(peer):
        peer.sock.settimeout(0.2)
        try:
            while True:
                seen.append(peer.sock.recv(65536))
        except TimeoutError:
            pass
        released.wait(DEADLINE)
        peer.sock.settimeout(DEADLINE)
        peer.reader.buffer[:0] = b"".join(seen)
        return True
    leash, origin = start(settings_gate=gate)
    word, made = marker(), []
    thread = threading.Thread(target=lambda: made.append(Client(leash, origin, version, word)))
    thread.start()
    leash.log.wait_for(event="request")
    released.set()
    thread.join(DEADLINE)
    assert made[0].status == 101
    made[0].send(frame(TEXT, b"late"))
    assert read_frame(made[0].reader) == (TEXT, b"late")
    made[0].close()
    data, types = b"".join(seen), []
    at = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    while at + 9 <= len(data):
        head, length = Frame.parse_frame_header(memoryview(data[at:at + 9]))
        types.append(type(head))
        at += 9 + length
    assert HeadersFrame not in types


@BOTH
def test_an_origin_that_goes_before_its_settings_is_an_error(start, version):
    leash, origin = start(("h2",), settings_gate=lambda peer: peer.reader.some() and False)
    word = marker()
    client = Client(leash, origin, version, word)
    assert client.status == 502
    client.close()
    leash.log.wait_for(event="error", url=lambda url: url and word in url)


@BOTH
def test_capture_reads_it_too(start, version):
    leash, origin = start(env={"LEASH_CAPTURE_WEBSOCKET": "1"})
    word = marker()
    client = Client(leash, origin, version, word)
    client.send(frame(TEXT, b"on record"))
    assert read_frame(client.reader) == (TEXT, b"on record")
    client.close()
    line = closed_line(leash, word)
    assert [each["req_body"] for each in leash.log.lines(event="websocket_message", id=line["id"]) if "req_body" in each] == ["on record"]
    assert "sec-websocket-extensions" not in dict(origin.by_path(f"/{word}")[0]["fields"])
