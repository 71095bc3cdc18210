"""Bodies pass as they come, in bounded memory, whatever their framing."""

import base64
import hashlib
import os
import select
import threading

import pytest

from support.http import Closed
from support.origin import message, raw, reply
from support.wait import DEADLINE, IS_SANITIZED, wait_until
from support.world import Way, marker

BOTH = pytest.mark.parametrize("via", ["plain", "tunnel"])


@pytest.fixture(scope="module")
def leash(module_leash, world):
    return module_leash(mode="enforce", **world.options())


def logged(leash, word, event="allowed", since=0):
    return leash.log.wait_for(since, event=event, url=lambda url: url and word in url)


@BOTH
@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain", "application/json", "application/x-ndjson", "audio/ogg"])
def test_first_bytes_arrive_at_once(leash, world, via, kind):
    """The origin waits for the client to have the first event before it sends the second."""
    way, word, gate = Way(leash, world, via), marker(), threading.Event()

    def script(exchange):
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        exchange.send(b"9\r\ndata: 1\n\n\r\n")
        assert gate.wait(DEADLINE)
        exchange.send(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
    way.origin.on(f"/{word}", script)
    way.conn.send(f"GET {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    head = way.conn.reader.until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    way.conn.reader.until(b"data: 1\n\n")
    gate.set()
    way.conn.reader.until(b"data: 2\n\n")
    way.conn.reader.until(b"0\r\n\r\n")
    way.legal()
    way.conn.close()


@BOTH
def test_upload_reaches_the_origin_as_it_comes(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.conn.send(f"POST {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\nTransfer-Encoding: chunked\r\n\r\n"
                  f"{len('first' + word):x}\r\nfirst{word}\r\n")
    way.origin.wait_for(lambda origin: origin.saw("first" + word))
    way.conn.send("6\r\nsecond\r\n0\r\n\r\n")
    assert way.conn.response().status == 200
    assert way.origin.requests_for(f"/{word}")[0].body == f"first{word}second".encode()
    way.conn.close()


@BOTH
def test_trailers_go_through(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  b"5\r\nhello\r\n0\r\nX-Sum: down\r\n\r\n", close=False))
    answer = way.conn.ask(f"POST {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\nTE: trailers\r\nTrailer: X-Sum\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: up\r\n\r\n")
    assert answer.body == b"hello" and ("X-Sum", "down") in answer.trailers
    assert ("X-Sum", "up") in way.origin.requests_for(f"/{word}")[0].trailers
    way.legal()
    way.conn.close()


@BOTH
def test_expect_continue(leash, world, via):
    """42: leash says 100; the origin never hears of it."""
    way, word = Way(leash, world, via), marker()
    way.conn.send(f"POST {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert way.conn.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
    way.conn.send("hello")
    answer = way.conn.response()
    assert answer.status == 200 and not answer.interim  # one 100, no second
    request = way.origin.requests_for(f"/{word}")[0]
    assert request.body == b"hello" and request.get("expect") is None
    way.legal()
    way.conn.close()


@BOTH
def test_expect_continue_with_the_body_at_once(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.conn.send(f"POST {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
    answer = way.conn.response()
    assert answer.status == 200 and [head.status for head in answer.interim] in ([], [100])
    assert way.origin.requests_for(f"/{word}")[0].body == b"hello"
    way.legal()
    way.conn.close()


def test_expect_continue_of_a_blocked_request_gets_no_100(leash, world):
    """And what follows is not taken for a request."""
    with leash.connect() as conn:
        conn.send(f"POST http://{world.denied_plain_authority}/ HTTP/1.1\r\nHost: {world.denied_plain_authority}\r\n"
                  "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        answer = conn.response()
        assert answer.status == 403 and not answer.interim
    assert world.saw_nothing_denied()


@BOTH
def test_final_answer_before_the_body_is_whole(leash, world, via):
    """An origin that refuses an upload early; the client gets the answer and nothing is out of step."""
    way, word = Way(leash, world, via), marker()

    def script(exchange):
        exchange.is_body_read = True
        exchange.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        exchange.peer.reader.to_end()
        exchange.close()
    way.origin.on(f"/{word}", script)
    way.conn.send(f"POST {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\nContent-Length: 100000000\r\n\r\n")
    way.conn.send(b"x" * 100_000)
    answer = way.conn.response()
    assert (answer.status, answer.body) == (413, b"big")
    way.conn.close()
    fresh = Way(leash, world, via)
    fresh.legal()
    fresh.conn.close()


INTERIM = (b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nX-Hint: one\r\n\r\n" b"HTTP/1.1 102 Processing\r\n\r\n"
           b"HTTP/1.1 100 Continue\r\n\r\n" b"HTTP/1.1 103 Early Hints\r\nX-Hint: two\r\n\r\n")


@BOTH
def test_interim_responses(leash, world, via):
    """All that the origin sent, in its order and with their fields; its 100 alone is ours to say."""
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", raw(INTERIM, message(body=b"final"), close=False))
    answer = way.conn.get(way.target(f"/{word}"), way.host)
    assert (answer.status, answer.body) == (200, b"final")
    assert [(head.status, head.get("x-hint"), head.get("link")) for head in answer.interim] == [
        (103, "one", "</a>; rel=preload"), (102, None, None), (103, "two", None)]
    way.legal()
    way.conn.close()
    assert logged(leash, word)["status"] == 200


def test_interim_response_arrives_before_the_final_one(leash, world):
    """The origin waits for the client to have the hint."""
    way, word, gate = Way(leash, world, "tunnel"), marker(), threading.Event()

    def script(exchange):
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nX-Hint: one\r\n\r\n")
        assert gate.wait(DEADLINE)
        exchange.send(message(body=b"final"))
    way.origin.on(f"/{word}", script)
    way.conn.send(f"GET /{word} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    assert way.conn.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 103 ")
    gate.set()
    assert way.conn.response().body == b"final"
    way.conn.close()


@BOTH
def test_http_1_0_client_gets_no_interim_response(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", raw(INTERIM, message(body=b"final"), close=False))
    answer = way.conn.ask(f"GET {way.target('/' + word)} HTTP/1.0\r\nHost: {way.host}\r\n\r\n")
    assert (answer.status, answer.body, answer.interim) == (200, b"final", [])
    way.conn.close()


@BOTH
def test_pipelined_requests_are_answered_in_order(leash, world, via):
    way, word = Way(leash, world, via), marker()
    for number in range(20):
        way.origin.on(f"/{word}{number}", reply(body=f"answer{number}".encode() * (1 + number * 100)))
    way.conn.send("".join(f"GET {way.target(f'/{word}{number}')} HTTP/1.1\r\nHost: {way.host}\r\n\r\n" for number in range(20)))
    for number in range(20):
        assert way.conn.response().body == f"answer{number}".encode() * (1 + number * 100)
    way.conn.close()


def test_pipelined_block_in_the_middle(leash, world):
    """Order holds, and the refused one is refused."""
    target = f"http://{world.plain_authority}"
    denied = f"http://{world.denied_plain_authority}"
    with leash.connect() as conn:
        conn.send(f"GET {target}/1 HTTP/1.1\r\nHost: {world.plain_authority}\r\n\r\n"
                  f"GET {denied}/2 HTTP/1.1\r\nHost: {world.denied_plain_authority}\r\n\r\n"
                  f"GET {target}/3 HTTP/1.1\r\nHost: {world.plain_authority}\r\n\r\n")
        assert [conn.response().status for _ in range(3)] == [200, 403, 200]
    assert world.saw_nothing_denied()


@BOTH
def test_http_1_0_client(leash, world, via):
    """It gets a body that ends with its length or with the connection, never chunks."""
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", close=False))
    answer = way.conn.ask(f"GET {way.target('/' + word)} HTTP/1.0\r\nHost: {way.host}\r\n\r\n")
    assert answer.body == b"hello" and answer.get("transfer-encoding") is None
    assert way.conn.is_at_end()
    way.conn.close()


@BOTH
def test_http_1_0_origin_that_ends_by_closing(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end"))
    answer = way.conn.get(way.target(f"/{word}"), way.host)
    assert answer.body == b"until the end"
    if answer.get("transfer-encoding") or answer.get("content-length"):
        way.legal()
    way.conn.close()
    assert logged(leash, word)["bytes"] == len(b"until the end")


def test_end_without_close_notify_is_no_end(leash, world):
    """Anybody on the way can cut a connection: a body that ends with it must end by TLS's word."""
    way, word = Way(leash, world, "tunnel"), marker()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nnot the e")
        exchange.peer.close(is_clean=False)
    way.origin.on(f"/{word}", script)
    with pytest.raises(Closed):
        way.conn.get(f"/{word}", way.host)
    way.conn.close()
    logged(leash, word, "error")


@BOTH
def test_origin_that_closes_after_each_answer(leash, world, via):
    """The race of a pooled connection is leash's affair, not the agent's."""
    way = Way(leash, world, via)
    way.origin.on("/closing", raw(message(body=b"bye")))
    for _ in range(30):
        answer = way.conn.get(way.target("/closing"), way.host)
        assert (answer.status, answer.body) == (200, b"bye")
    way.conn.close()


@BOTH
def test_origin_connections_are_reused(make_leash, make_origin, pki, via):
    origin = make_origin(pki.issue("pool.test") if via == "tunnel" else None)
    leash = make_leash(mode="audit", hosts={"pool.test": "127.0.0.1"}, args=["--workers", "1"])
    authority = f"pool.test:{origin.port}"
    for _ in range(3):
        conn = leash.tunnel("pool.test", origin.port) if via == "tunnel" else leash.connect()
        for number in range(20):
            assert conn.get(f"/{number}" if via == "tunnel" else f"http://{authority}/{number}", authority).status == 200
        conn.close()
    assert origin.connections <= 3


@BOTH
def test_client_that_leaves_ends_the_origin_connection(leash, world, via):
    """And the outcome is on record."""
    way, word, gone = Way(leash, world, via), marker(), threading.Event()
    since = leash.log.mark()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                exchange.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            gone.set()
            raise
    way.origin.on(f"/{word}", script)
    way.conn.send(f"GET {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    way.conn.reader.exactly(10_000)
    way.conn.close()
    assert gone.wait(DEADLINE)
    line = leash.log.wait_for(since, event="error", url=lambda url: url and word in url)
    assert line["reason"]


# Large bodies and slow peers

MIB = 1 << 20
BLOCK = hashlib.sha256(b"seed").digest() * (MIB // 32)


def receive(conn, total):
    """Reads that many bytes as fast as it goes: (count, digest)."""
    digest = hashlib.blake2b() if total <= 256 * MIB else None
    count = len(conn.reader.buffer)
    if digest:
        digest.update(conn.reader.buffer)
    conn.reader.buffer.clear()
    view = memoryview(bytearray(256 * 1024))
    while count < total:
        got = conn.sock.recv_into(view)
        if got == 0:
            break
        count += got
        if digest:
            digest.update(view[:got])
    return count, digest and digest.hexdigest()


def expected_digest(mib):
    digest = hashlib.blake2b()
    for _ in range(mib):
        digest.update(BLOCK)
    return digest.hexdigest()


def send_blocks(count):
    def script(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % (count * MIB))
        for _ in range(count):
            exchange.send(BLOCK)
    return script


@BOTH
def test_download_is_the_same_bytes(leash, world, via):
    way = Way(leash, world, via)
    way.origin.on("/64", send_blocks(64))
    way.conn.send(f"GET {way.target('/64')} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    way.conn.reader.until(b"\r\n\r\n")
    assert receive(way.conn, 64 * MIB) == (64 * MIB, expected_digest(64))
    way.legal()
    way.conn.close()


LIMIT_MIB = 1024 if IS_SANITIZED else 64


def test_large_download_in_bounded_memory(make_leash, world):
    mib = 128 if IS_SANITIZED else 2048
    leash = make_leash(mode="enforce", **world.options())
    way = Way(leash, world, "tunnel")
    way.origin.on("/large", send_blocks(mib))
    way.conn.send(f"GET /large HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    way.conn.reader.until(b"\r\n\r\n")
    assert receive(way.conn, mib * MIB)[0] == mib * MIB
    way.conn.close()
    assert logged(leash, "/large")["bytes"] == mib * MIB
    assert leash.peak_mib < LIMIT_MIB


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_upload_in_bounded_memory(make_leash, make_origin, pki, framing):
    mib = 64 if IS_SANITIZED else 1024 if framing == "length" else 256
    origin = make_origin(pki.issue("up.test"), keeps_bytes=False)
    counts = []

    def script(exchange):
        exchange.is_body_read = True
        view, count = memoryview(bytearray(256 * 1024)), len(exchange.peer.reader.buffer)
        tail = bytes(exchange.peer.reader.buffer[-5:])
        exchange.peer.reader.buffer.clear()
        while count < mib * MIB or (framing == "chunked" and not tail.endswith(b"0\r\n\r\n")):
            got = exchange.peer.sock.recv_into(view)
            if got == 0:
                break
            count += got
            tail = (tail + bytes(view[max(0, got - 5):got]))[-5:]
        counts.append(count)
        exchange.send(message(body=b"thanks"))
    origin.on("/up", script)
    leash = make_leash(mode="audit", hosts={"up.test": "127.0.0.1"})
    conn = leash.tunnel("up.test", origin.port)
    how = f"Content-Length: {mib * MIB}" if framing == "length" else "Transfer-Encoding: chunked"
    conn.send(f"PUT /up HTTP/1.1\r\nHost: up.test:{origin.port}\r\n{how}\r\n\r\n")
    for _ in range(mib):
        conn.sock.sendall(BLOCK if framing == "length" else b"100000\r\n" + BLOCK + b"\r\n")
    if framing == "chunked":
        conn.sock.sendall(b"0\r\n\r\n")
    assert conn.response().body == b"thanks"
    conn.close()
    assert counts[0] >= mib * MIB
    line = logged(leash, "/up")
    assert line["bytes_up"] >= mib * MIB
    assert leash.peak_mib < LIMIT_MIB


def fill_until_full(send_some, quiet=1.0):
    """Writes until nothing has been taken for a while; returns how much went."""
    total = 0
    while True:
        sent = send_some(quiet)
        if sent is None:
            return total
        total += sent


@BOTH
def test_slow_reader_holds_the_origin_back(make_leash, world, via):
    """Back-pressure, not buffering."""
    leash = make_leash(mode="enforce", **world.options())
    way = Way(leash, world, via)
    word, sent, full, gate = marker(), [0], threading.Event(), threading.Event()
    total = 256 * MIB

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % total)
        exchange.peer.sock.settimeout(2.0)
        block = memoryview(BLOCK)
        try:
            while sent[0] < total:
                at = sent[0] % MIB
                sent[0] += exchange.peer.sock.send(block[at:at + 16384])
        except (TimeoutError, OSError):
            full.set()
            gate.wait(DEADLINE)
        exchange.close()
    way.origin.on(f"/{word}", script)
    way.conn.send(f"GET {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    way.conn.reader.until(b"\r\n\r\n")
    assert full.wait(DEADLINE), "the origin could send everything to a client that does not read"
    assert sent[0] < 64 * MIB
    assert leash.peak_mib < LIMIT_MIB
    gate.set()
    way.conn.close()


@BOTH
def test_slow_origin_holds_the_client_back(make_leash, world, via):
    leash = make_leash(mode="enforce", **world.options())
    way = Way(leash, world, via)
    word, gate = marker(), threading.Event()

    def script(exchange):
        exchange.is_body_read = True
        gate.wait(DEADLINE * 2)
        exchange.close()
    way.origin.on(f"/{word}", script)
    way.conn.send(f"PUT {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\nContent-Length: {1 << 30}\r\n\r\n")
    way.origin.wait_for(lambda origin: origin.requests_for(f"/{word}"))

    def send_some(quiet):
        if not select.select([], [way.conn.sock], [], quiet)[1]:
            return None
        way.conn.sock.settimeout(quiet)
        try:
            return way.conn.sock.send(BLOCK[:16384])
        except (TimeoutError, OSError):
            return None
    assert fill_until_full(send_some) < 64 * MIB
    assert leash.peak_mib < LIMIT_MIB
    gate.set()
    way.conn.close()


def test_many_streams_at_once(make_leash, make_origin, pki):
    """A hundred open event streams cost little, and each gets its own events."""
    count = 100
    origin = make_origin(pki.issue("sse.test"), keeps_bytes=False)
    gate = threading.Event()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        exchange.send(b"data: " + exchange.request.target.encode() + b"\n\n")
        gate.wait(DEADLINE * 2)
        exchange.send(b"data: end\n\n")
        exchange.close()
    origin.default = script
    leash = make_leash(mode="audit", hosts={"sse.test": "127.0.0.1"})
    conns = []
    for number in range(count):
        conn = leash.tunnel("sse.test", origin.port)
        conn.send(f"GET /{number}. HTTP/1.1\r\nHost: sse.test:{origin.port}\r\n\r\n")
        conns.append(conn)
    for number, conn in enumerate(conns):
        conn.reader.until(f"data: /{number}.\n\n".encode())
    assert leash.peak_mib < (1024 if IS_SANITIZED else 96)
    gate.set()
    for conn in conns:
        conn.reader.until(b"data: end\n\n")
        conn.close()


# WebSocket


def websocket_request(way, path, key=None, version="13", **more):
    key = key or base64.b64encode(os.urandom(16)).decode()
    fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": version}
    fields.update(more)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"GET {way.target(path)} HTTP/1.1\r\nHost: {way.host}\r\n{lines}\r\n"


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def websocket(answer_accept=None, after=b""):
    """A script: upgrades, then echoes what comes, byte for byte."""
    def script(exchange):
        accept = answer_accept or accept_of(exchange.request.get("sec-websocket-key") or "")
        exchange.is_body_read = True
        exchange.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode() + after)
        while True:
            data = exchange.peer.reader.some()
            if not data:
                break
            exchange.send(unmask(data))
        exchange.close()
    return script


def masked(payload, opcode=1):
    mask = os.urandom(4)
    assert len(payload) < 126
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def unmask(frame):
    size = frame[1] & 0x7f
    mask, payload = frame[2:6], frame[6:6 + size]
    return bytes([frame[0], size]) + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


@BOTH
def test_websocket(leash, world, via):
    way, word = Way(leash, world, via), marker()
    way.origin.on(f"/{word}", websocket(after=b"\x81\x05hello"))
    way.conn.send(websocket_request(way, f"/{word}"))
    answer = way.conn.response()
    assert answer.status == 101 and (answer.get("upgrade") or "").lower() == "websocket"
    assert way.conn.reader.exactly(7) == b"\x81\x05hello"
    for text in (b"one", b"two"):
        way.conn.send(masked(text))
        assert way.conn.reader.exactly(2 + len(text)) == bytes([0x81, len(text)]) + text
    way.conn.close()
    line = logged(leash, word)
    assert line["status"] == 101
    closed = leash.log.wait_for(event="websocket_closed", id=line["id"])
    assert closed["host"] == world.ALLOWED


@BOTH
def test_websocket_with_a_wrong_accept(leash, world, via):
    """46: 101 counts only when it answers our key."""
    way, word, since = Way(leash, world, via), marker(), leash.log.mark()
    way.origin.on(f"/{word}", websocket(answer_accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA="))
    way.conn.send(websocket_request(way, f"/{word}"))
    assert way.conn.response().status == 502
    logged(leash, word, "error", since)
    way.conn.close()


@BOTH
@pytest.mark.parametrize("fault", ["version", "key", "method", "h2c", "TLS"])
def test_upgrade_that_is_no_websocket_is_no_upgrade(leash, world, via, fault):
    """47: then bytes that follow are requests, and judged as such."""
    way, word = Way(leash, world, via), marker()
    request = websocket_request(way, f"/{word}")
    if fault == "version":
        request = websocket_request(way, f"/{word}", version="999")
    elif fault == "key":
        request = websocket_request(way, f"/{word}", key="short")
    elif fault == "method":
        request = request.replace("GET ", "DELETE ", 1)
    else:
        request = websocket_request(way, f"/{word}", Upgrade={"h2c": "h2c", "TLS": "TLS/1.0"}[fault])
    way.conn.send(request + f"GET http://{world.denied_plain_authority}/{word} HTTP/1.1\r\nHost: {world.denied_plain_authority}\r\n\r\n")
    answer = way.conn.response()
    assert answer.status != 101
    for seen in way.origin.requests_for(f"/{word}"):
        assert seen.get("upgrade") is None
    try:
        assert way.conn.response().status in (400, 403, 421)
    except Closed:
        pass
    assert world.saw_nothing_denied()
    way.conn.close()


def test_websocket_ends_with_its_right(make_leash, world):
    """90"""
    leash = make_leash(mode="enforce", **world.options())
    way = Way(leash, world, "tunnel")
    way.origin.on("/ws", websocket())
    way.conn.send(websocket_request(way, "/ws"))
    assert way.conn.response().status == 101
    way.conn.send(masked(b"one"))
    assert way.conn.reader.exactly(5) == b"\x81\x03one"
    leash.set_allow([])
    assert way.conn.is_at_end()
    way.conn.close()
    wait_until(lambda: leash.log.lines(event="websocket_closed"))


def test_response_in_single_bytes(leash, world):
    """A response that comes in single bytes is still one response."""
    way, word = Way(leash, world, "tunnel"), marker()

    def script(exchange):
        for byte in message(body=b"slowly"):
            exchange.send(bytes([byte]))
    way.origin.on(f"/{word}", script)
    assert way.conn.get(f"/{word}", way.host).body == b"slowly"
    way.legal()
    way.conn.close()
