"""WebSocket over plain HTTP, inside a tunnel and over HTTP/2: the handshake proven, the frames looked at, the end recorded."""

import base64
import hashlib
import os
import struct

import pytest

from support.h2 import H2Client
from support.websocket import BINARY, CLOSE, PING, TEXT, frame, read_frame
from support.world import Way, marker

BOTH = pytest.mark.parametrize("via", ["plain", "tunnel"])
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@pytest.fixture(scope="module")
def leash(module_leash, world):
    return module_leash(mode="enforce", **world.options())


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def accepting(and_then, accept=accept_of):
    """An origin that takes the handshake and then does `and_then`."""
    def script(exchange):
        key = exchange.request.get("sec-websocket-key")
        exchange.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      f"Sec-WebSocket-Accept: {accept(key)}\r\n\r\n".encode())
        and_then(exchange)
    return script


def echo(exchange):
    """Sends back what comes, until a close frame; answers that and ends."""
    while True:
        opcode, payload = read_frame(exchange.peer.reader)
        exchange.send(frame(opcode, payload, masked=False))
        if opcode == CLOSE:
            exchange.close()
            return


def handshake(way, word, key="dGhlIHNhbXBsZSBub25jZQ==", fields=()):
    lines = [f"GET {way.target('/' + word)} HTTP/1.1", f"Host: {way.host}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *fields]
    return way.conn.ask("\r\n".join(lines) + "\r\n\r\n")


def closed_line(leash, word):
    return leash.log.wait_for(event="websocket_closed", url=lambda url: url and word in url)


@BOTH
def test_messages_go_both_ways(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", accepting(echo))
    answer = handshake(way, word)
    assert answer.status == 101
    assert answer.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    for payload in (b"hello", b"x" * 300, os.urandom(200_000)):
        way.conn.send(frame(BINARY, payload))
        assert read_frame(way.conn.reader) == (BINARY, payload)
    way.conn.send(frame(CLOSE, struct.pack(">H", 1000)))
    assert read_frame(way.conn.reader)[0] == CLOSE
    way.conn.close()
    shake = leash.log.wait_for(event="allowed", url=lambda url: url and word in url)
    assert shake["status"] == 101
    line = closed_line(leash, word)
    assert (line["messages_up"], line["messages_down"]) == (3, 3)
    assert (line["close_code_up"], line["close_code_down"]) == (1000, 1000)
    assert line["bytes_up"] > 200_000 and line["bytes_down"] > 200_000


@BOTH
def test_bytes_behind_the_handshake_are_its_first_frames(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", accepting(echo))
    head = "\r\n".join([f"GET {way.target('/' + word)} HTTP/1.1", f"Host: {way.host}", "Upgrade: websocket",
                        "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                        "Sec-WebSocket-Version: 13"]) + "\r\n\r\n"
    way.conn.send(head.encode() + frame(TEXT, b"early"))
    assert way.conn.response().status == 101
    assert read_frame(way.conn.reader) == (TEXT, b"early")
    way.conn.close()
    closed_line(leash, word)


@BOTH
@pytest.mark.parametrize("accept", ["wrong", "AAAA", ""])
def test_unproven_101_opens_nothing(leash, world, via, accept):
    """46, 47: only a validated 101 ends HTTP."""
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", accepting(lambda exchange: exchange.send(b"secret channel"), lambda key: accept))
    answer = handshake(way, word)
    assert answer.status == 502
    assert b"secret" not in answer.body
    way.conn.close()
    leash.log.wait_for(event="error", url=lambda url: url and word in url, reason=lambda reason: "upgrade" in reason)


@BOTH
def test_101_to_an_ordinary_request_opens_nothing(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", lambda exchange: exchange.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw"))
    assert way.conn.get(way.target(f"/{word}"), way.host).status == 502
    way.conn.close()


@BOTH
def test_refused_handshake_stays_http(leash, world, via):
    way, word = Way(leash, world, via), marker()
    answer = handshake(way, word)  # the origin answers 200 to anything
    assert (answer.status, answer.body) == (200, b"ok")
    way.legal()
    way.conn.close()


@BOTH
@pytest.mark.parametrize("fields", [
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "Upgrade: TLS/1.0\r\nConnection: Upgrade", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 999"])
def test_any_other_upgrade_is_stripped(leash, world, via, fields):
    way, word = Way(leash, world, via), marker()
    answer = way.conn.ask(f"GET {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\n{fields}\r\n\r\n")
    assert answer.status == 200
    way.conn.close()
    request = way.origin.requests_for(f"/{word}")[0]
    assert request.get("upgrade") is None and request.get("http2-settings") is None


@BOTH
@pytest.mark.parametrize("bad", ["unmasked", "reserved opcode", "long ping", "huge length"])
def test_broken_frames_of_the_client_do_not_go_on(leash, world, via, bad):
    """48: the frames are a channel, too."""
    frames = {"unmasked": frame(TEXT, b"contraband", masked=False), "reserved opcode": frame(5, b"contraband"),
              "long ping": frame(PING, b"c" * 126), "huge length": b"\x82\xff" + b"\xff" * 8 + b"maskcontraband"}
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", accepting(echo))
    assert handshake(way, word).status == 101
    way.conn.send(frame(TEXT, b"fine"))
    assert read_frame(way.conn.reader) == (TEXT, b"fine")
    way.conn.send(frames[bad])
    way.conn.read_to_end()
    way.conn.close()
    assert "bad_websocket_frame" in closed_line(leash, word)["reason"]
    assert not way.origin.saw("contraband")


@BOTH
def test_masked_frame_of_the_origin_does_not_go_on(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", accepting(lambda exchange: exchange.send(frame(TEXT, b"masked"))))
    assert handshake(way, word).status == 101
    assert way.conn.read_to_end() == b""
    way.conn.close()
    assert "bad_websocket_frame" in closed_line(leash, word)["reason"]


def test_policy_change_cuts_an_open_websocket(make_leash, world):
    """90: what has lost its right ends, within a second and without a further byte."""
    leash = make_leash(mode="enforce", **world.options())
    way, word = Way(leash, world, "tunnel"), marker()
    way.origin.on(f"/{word}", accepting(echo))
    assert handshake(way, word).status == 101
    way.conn.send(frame(TEXT, b"while it may"))
    assert read_frame(way.conn.reader) == (TEXT, b"while it may")
    leash.set_allow([])
    way.conn.read_to_end()
    way.conn.close()
    assert "not_in_allowlist" in closed_line(leash, word)["reason"]


def test_websocket_over_http2(leash, world):
    """RFC 8441: an extended CONNECT is decided, recorded and sent on as the GET that it stands for."""
    word = marker()
    world.tls.on(f"/{word}", accepting(echo))
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    client = H2Client(conn)
    stream = client.raw_request([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
                                 (":authority", world.tls_authority), (":path", f"/{word}"),
                                 ("sec-websocket-version", "13")], ends=False)
    answer = client.responses[stream]
    client.wait(lambda: answer.status is not None)
    assert answer.status == 200
    client.send_body(stream, frame(TEXT, b"over h2"), ends=False)
    wanted = frame(TEXT, b"over h2", masked=False)
    client.wait(lambda: len(answer.body) >= len(wanted))
    assert answer.body == wanted
    client.send_body(stream, frame(CLOSE, struct.pack(">H", 1001)), ends=False)
    client.wait(lambda: answer.is_ended or answer.reset is not None)
    conn.close()
    shake = leash.log.wait_for(event="allowed", url=lambda url: url and word in url)
    assert (shake["status"], shake["method"]) == (101, "GET")
    assert closed_line(leash, word)["messages_up"] == 1


class TestCapture:
    """LEASH_CAPTURE_WEBSOCKET=1: text messages are in the log."""

    @pytest.fixture(scope="class")
    def leash(self, module_leash, world):
        return module_leash(mode="enforce", env={"LEASH_CAPTURE_WEBSOCKET": "1"}, settings={"body_limit_kb": 1}, **world.options())

    @staticmethod
    def talk(way, word, *frames, and_then=echo):
        way.origin.on(f"/{word}", accepting(and_then))
        assert handshake(way, word, fields=("Sec-WebSocket-Extensions: permessage-deflate",)).status == 101
        for each in frames:
            way.conn.send(each)
        way.conn.send(frame(CLOSE, struct.pack(">H", 1000)))
        way.conn.read_to_end()
        way.conn.close()

    @staticmethod
    def messages(leash, word):
        closed = closed_line(leash, word)
        lines = leash.log.lines(event="websocket_message", id=closed["id"])
        assert all(line["seq"] < closed["seq"] for line in lines)
        return ([line["req_body"] for line in lines if "req_body" in line], [line["res_body"] for line in lines if "res_body" in line],
                lines)

    @BOTH
    def test_text_messages_are_on_record(self, leash, world, via):
        way, word = Way(leash, world, via), marker()
        self.talk(way, word, frame(TEXT, "grüße".encode()), frame(TEXT, b"in ", final=False), frame(0, b"pieces"),
                  frame(BINARY, b"not kept"), frame(TEXT, b""))
        up, _, lines = self.messages(leash, word)
        assert up == ["grüße", "in pieces"]
        assert lines[0]["method"] == "GET" and word in lines[0]["url"] and lines[0]["client"] == "127.0.0.1"
        assert way.origin.requests_for(f"/{word}")[0].get("sec-websocket-extensions") is None
        assert "websocket_message" not in str(leash.log.lines(event="websocket_closed"))

    @BOTH
    def test_both_directions(self, leash, world, via):
        def answer(exchange):
            read_frame(exchange.peer.reader)
            exchange.send(frame(TEXT, b"from the origin", masked=False))
            echo(exchange)
        way, word = Way(leash, world, via), marker()
        self.talk(way, word, frame(TEXT, b"from the agent"), and_then=answer)
        up, down, _ = self.messages(leash, word)
        assert up == ["from the agent"] and down == ["from the origin"]

    def test_each_direction_is_kept_up_to_the_body_limit(self, leash, world):
        way, word = Way(leash, world, "tunnel"), marker()
        self.talk(way, word, frame(TEXT, b"a" * 1000), frame(TEXT, b"b" * 1000), frame(TEXT, b"c" * 1000))
        up, _, lines = self.messages(leash, word)
        assert up == ["a" * 1000, "b" * 24]
        assert [line.get("req_truncated") for line in lines if "req_body" in line] == [None, True]

    def test_a_flood_of_tiny_messages_is_a_bounded_number_of_lines(self, leash, world):
        way, word = Way(leash, world, "tunnel"), marker()
        self.talk(way, word, *[frame(TEXT, b"x")] * 1000)
        up, down, _ = self.messages(leash, word)
        assert len(up) == 4 and len(down) <= 4
        assert closed_line(leash, word)["messages_up"] == 1000

    def test_an_extension_that_was_not_offered_opens_nothing(self, leash, world):
        way, word = Way(leash, world, "tunnel"), marker()
        way.origin.on(f"/{word}", lambda exchange: exchange.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"))
        assert handshake(way, word).status == 502
        way.conn.close()

    def test_the_budget_of_all_captures_bounds_them(self, make_leash, world):
        leash = make_leash(env={"LEASH_CAPTURE_WEBSOCKET": "1"}, settings={"body_limit_kb": 4096, "limits": {"capture_mb": 1}},
                           **world.options())
        way, word = Way(leash, world, "tunnel"), marker()
        self.talk(way, word, frame(TEXT, b"y" * (2 << 20)), frame(TEXT, b"after it"))
        up, _, lines = self.messages(leash, word)
        assert len(up[0]) <= 1 << 20 and lines[0]["req_truncated"] is True
        assert up[1] == "after it"

    def test_nothing_is_kept_by_default(self, make_leash, world):
        leash = make_leash(**world.options())
        way, word = Way(leash, world, "tunnel"), marker()
        self.talk(way, word, frame(TEXT, b"private"))
        assert self.messages(leash, word)[2] == []
        assert way.origin.requests_for(f"/{word}")[0].get("sec-websocket-extensions") == "permessage-deflate"
        assert b"private" not in leash.log_path.read_bytes()
