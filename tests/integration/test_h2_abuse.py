"""What an HTTP/2 peer may not do, on either leg: the right code, a line in the log, and nobody else notices."""

import threading

import pytest
from hpack import Decoder
from hyperframe.frame import (ContinuationFrame, DataFrame, GoAwayFrame, HeadersFrame, PingFrame, PriorityFrame, PushPromiseFrame, RstStreamFrame,
                              SettingsFrame, WindowUpdateFrame)

from support.h2 import RawH2, RawH2Origin
from support.origin import message, server_context
from support.wait import DEADLINE
from support.world import marker

NO_ERROR, PROTOCOL, FLOW_CONTROL, STREAM_CLOSED, FRAME_SIZE, COMPRESSION, CALM = 0, 1, 3, 5, 6, 9, 11
OTHER = "127.0.0.9"  # another agent's address


def head_frame(wire, stream, fields, ends=True):
    made = HeadersFrame(stream)
    made.data = wire.encoder.encode(fields)
    made.flags = {"END_HEADERS"} | ({"END_STREAM"} if ends else set())
    return made


def with_bytes(frame, data):
    frame.data = data
    return frame


# The client's leg


@pytest.fixture(scope="module")
def leash(module_leash, world):
    return module_leash(mode="enforce", **world.options())


def request_fields(world, path="/x", method="GET"):
    return [(":method", method), (":scheme", "https"), (":authority", world.tls_authority), (":path", path)]


def rapid_reset(wire, world):
    for number in range(2_000):
        stream = 1 + number * 2
        yield head_frame(wire, stream, request_fields(world, "/rapid")).serialize() + RstStreamFrame(stream, 8).serialize()


def made_you_reset(wire, world):
    """CVE-2025-8671: it is leash who resets, since each stream breaks a rule."""
    for number in range(2_000):
        stream = 1 + number * 2
        yield head_frame(wire, stream, request_fields(world, "/made", "POST"), ends=False).serialize() + WindowUpdateFrame(stream, 0x7fffffff).serialize()


def bad_requests(wire, world):
    for number in range(2_000):
        yield head_frame(wire, 1 + number * 2, request_fields(world, "/bad") + [("connection", "close")]).serialize()


def continuations(wire, world):
    yield with_bytes(HeadersFrame(1), b"\x00\x03x-a\x01b").serialize()
    for _ in range(2_000):
        yield with_bytes(ContinuationFrame(1), b"\x00\x03x-a\x01b").serialize()


def empty_continuations(wire, world):
    yield with_bytes(HeadersFrame(1), b"\x00\x03x-a\x01b").serialize()
    for _ in range(2_000):
        yield ContinuationFrame(1).serialize() * 10


def hpack_bomb(wire, world):
    """One entry of 3000 bytes, named thousands of times: 36 MB out of 16 KiB."""
    yield head_frame(wire, 1, request_fields(world, "/bomb") + [("x-b", "x" * 3000)], ends=False).serialize()
    bomb = with_bytes(HeadersFrame(3), b"\x82\x87\x84\x01\x01a" + b"\xbe" * 12_000)
    bomb.flags = {"END_HEADERS", "END_STREAM"}
    yield bomb.serialize()


def settings(wire, world):
    for _ in range(2_000):
        yield SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 1000}).serialize() * 10


def pings(wire, world):
    for _ in range(2_000):
        yield PingFrame(0, b"12345678").serialize() * 10


def empty_data(wire, world):
    yield head_frame(wire, 1, request_fields(world, "/empty", "POST"), ends=False).serialize()
    for _ in range(2_000):
        yield DataFrame(1).serialize() * 10


def priorities(wire, world):
    for number in range(2_000):
        yield PriorityFrame(1 + number * 2, depends_on=0, stream_weight=1).serialize() * 10


def window_updates(wire, world):
    for _ in range(2_000):
        yield WindowUpdateFrame(0, 1).serialize() * 10


def window_overflow(wire, world):
    yield WindowUpdateFrame(0, 0x7fffffff).serialize() * 2


def frame_too_long(wire, world):
    yield with_bytes(HeadersFrame(1), b"x" * 20_000).serialize()


def table_too_large(wire, world):
    update = with_bytes(HeadersFrame(1), b"\x3f\xe1\xff\x03\x82")  # 64 KiB, where 4 are allowed
    update.flags = {"END_HEADERS", "END_STREAM"}
    yield update.serialize()


def data_on_stream_zero(wire, world):
    yield b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x"


def push(wire, world):
    promise = with_bytes(PushPromiseFrame(1, 2), b"\x82")
    promise.flags = {"END_HEADERS"}
    yield promise.serialize()


CLIENT_ATTACKS = [
    (rapid_reset, CALM, "http2_flood"), (made_you_reset, CALM, "http2_flood"), (bad_requests, CALM, "http2_flood"),
    (continuations, CALM, "http2_flood"), (empty_continuations, CALM, "http2_flood"), (hpack_bomb, CALM, "head_too_large"),
    (settings, CALM, "http2_flood"), (pings, CALM, "http2_flood"), (empty_data, CALM, "http2_flood"),
    (priorities, CALM, "http2_flood"), (window_updates, CALM, "http2_flood"), (window_overflow, FLOW_CONTROL, "http2_protocol"),
    (frame_too_long, FRAME_SIZE, "http2_protocol"), (table_too_large, COMPRESSION, "http2_protocol"),
    (data_on_stream_zero, PROTOCOL, "http2_protocol"), (push, PROTOCOL, "http2_protocol"),
]


@pytest.mark.parametrize("attack,code,reason", CLIENT_ATTACKS, ids=[attack.__name__ for attack, _, _ in CLIENT_ATTACKS])
def test_attack_of_a_client(leash, world, attack, code, reason):
    """51-53: GOAWAY with its code, one line that says why, and another agent's connection goes on meanwhile."""
    since = leash.log.mark()
    other = leash.tunnel(world.ALLOWED, world.tls.port, source=OTHER)
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    wire = RawH2(conn)
    wire.send(SettingsFrame())

    def write():
        for block in attack(wire, world):
            if conn.was_reset:
                return
            conn.send(block)
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    assert other.get("/other", world.tls_authority).status == 200
    writer.join(DEADLINE)  # before the first look at the answer: a TLS object is not for two threads
    codes = [frame.error_code for frame in wire.frames() if isinstance(frame, GoAwayFrame)]
    conn.close()
    line = leash.log.wait_for(since, event="error", reason=lambda text: text and text.startswith(reason))
    assert line["host"] == world.ALLOWED and line["client"] == "127.0.0.1"
    assert codes == [code] or (not codes and conn.was_reset), codes
    assert other.get("/other", world.tls_authority).status == 200
    other.close()
    leash.log.wait_for(since, event="tunnel_closed", client="127.0.0.1")


def test_stalled_windows_hold_up_nobody(make_leash, world):
    """53: a client that opens no window: its streams end with the limit, another agent's go on."""
    # Long enough for 21 connections to the origin, each with a handshake, on a slow machine.
    leash = make_leash(mode="enforce", settings={"limits": {"exchange_idle_time": "4s"}}, **world.options())
    word = marker()
    world.tls.on(f"/{word}", lambda exchange: exchange.send(message(body=b"x" * (1 << 20))))
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    wire = RawH2(conn)
    wire.send(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 0}))
    for number in range(20):
        wire.send(head_frame(wire, 1 + number * 2, request_fields(world, f"/{word}")))
    with leash.tunnel(world.ALLOWED, world.tls.port, source=OTHER) as other:
        assert other.get("/other", world.tls_authority).status == 200
    resets = 0
    for frame in wire.frames():
        resets += isinstance(frame, RstStreamFrame)
        if resets == 20:
            break
    conn.close()
    lines = leash.log.wait_for(count=20, event="error", url=lambda url: url and word in url)
    assert all(line["reason"].startswith("idle_timeout") for line in lines)


def test_finished_answers_that_nobody_reads_end_with_the_connection(make_leash, world):
    """Their requests are over and on record, so no limit of a request's applies: that of an idle client does."""
    leash = make_leash(mode="enforce", settings={"limits": {"client_idle_time": "5s"}}, **world.options())
    word = marker()
    world.tls.on(f"/{word}", lambda exchange: exchange.send(message(body=b"x" * 1000)))
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    wire = RawH2(conn)
    # All at once: between two of them the limit could end the connection.
    wire.send(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 0}),
              *[head_frame(wire, 1 + number * 2, request_fields(world, f"/{word}")) for number in range(20)])
    leash.log.wait_for(count=20, event="allowed", url=lambda url: url and word in url)
    for _ in wire.frames():
        pass
    assert conn.is_at_end()
    conn.close()


@pytest.mark.parametrize("mode", ["enforce", "blocklist", "audit"])
@pytest.mark.parametrize("authority", ["other.test", "ALLOW.test.", "allow.test"])
def test_authority_of_another_site_on_http2(make_leash, world, mode, authority):
    """1, 50: at frame level, in the three modes: 421, or (audit) passed and told; one name in two spellings is one name."""
    leash = make_leash(mode=mode, **world.options())
    word = marker()
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    wire = RawH2(conn)
    shown = f"{authority}:{world.tls.port}"
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", shown), (":path", f"/{word}")]
    wire.send(SettingsFrame(), head_frame(wire, 1, fields))
    answer = next(frame for frame in wire.frames() if frame.stream_id == 1)
    status = dict(Decoder().decode(answer.data))[":status"]
    is_other = authority == "other.test"
    if is_other and mode != "audit":
        assert status == "421" and not world.tls.saw(word)
        line = leash.log.wait_for(event="blocked", reason="name_mismatch")
    else:
        assert status == "200"
        line = leash.log.wait_for(event="allowed", url=lambda url: url and word in url)
    assert line.get("names") == (f"mismatch: host {shown}" if is_other else None)
    assert line["host"] == world.ALLOWED
    # the connection is good for the next request
    fields[2] = (":authority", world.tls_authority)
    wire.send(head_frame(wire, 3, fields))
    assert next(frame for frame in wire.frames() if frame.stream_id == 3)
    conn.close()


# The origin's leg


HOST = "raw.test"
OTHER_HOST = "fine.test"


class Rig:
    """A leash whose origin does `script(wire)` on each connection, and another origin that is well."""

    def __init__(self, make_leash, pki, script):
        self.origin = RawH2Origin(server_context(pki.issue(HOST), ("h2",)), script)
        self.fine = RawH2Origin(server_context(pki.issue(OTHER_HOST), ("h2",)), lambda wire: [wire.answer(stream) for stream, _ in wire.requests()])
        ports = {HOST: self.origin.port, OTHER_HOST: self.fine.port}
        self.leash = make_leash(mode="enforce", allow=[{"host": host, "ports": [port]} for host, port in ports.items()],
                                hosts={host: "127.0.0.1" for host in ports}, settings={"limits": {"exchange_idle_time": "5s"}})

    def get(self, path, host=HOST, **more):
        port = self.origin.port if host == HOST else self.fine.port
        with self.leash.tunnel(host, port) as conn:
            return conn.get(path, f"{host}:{port}", **more)

    def close(self):
        self.origin.close()
        self.fine.close()


@pytest.fixture
def rig(make_leash, pki):
    made = []

    def make(script):
        made.append(Rig(make_leash, pki, script))
        return made[-1]
    yield make
    for each in made:
        each.close()


def literal(name, value):
    """A field as HPACK writes it out, whatever it holds."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


OK_HEAD = b"\x88"  # :status 200


def responding(make_frames):
    """Answers the path /bad with what `make_frames(wire, stream)` gives, all others well."""
    def script(wire):
        for stream, path in wire.requests():
            if path == "/bad":
                for frame in make_frames(wire, stream):
                    wire.send(frame)
            else:
                wire.answer(stream)
    return script


ORIGIN_FAULTS = {
    "CR LF in a value": lambda wire, stream: [wire.head(stream, encoded=OK_HEAD + literal(b"x-a", b"b\r\nx-c: d"), ends=True)],
    "NUL in a value": lambda wire, stream: [wire.head(stream, encoded=OK_HEAD + literal(b"x-a", b"b\0c"), ends=True)],
    "upper case": lambda wire, stream: [wire.head(stream, encoded=OK_HEAD + literal(b"X-A", b"b"), ends=True)],
    "connection field": lambda wire, stream: [wire.head(stream, encoded=OK_HEAD + literal(b"connection", b"close"), ends=True)],
    "transfer-encoding": lambda wire, stream: [wire.head(stream, encoded=OK_HEAD + literal(b"transfer-encoding", b"chunked"), ends=True)],
    "no status": lambda wire, stream: [wire.head(stream, encoded=literal(b"x-a", b"b"), ends=True)],
    "two statuses": lambda wire, stream: [wire.head(stream, encoded=OK_HEAD + OK_HEAD, ends=True)],
    "status 101": lambda wire, stream: [wire.head(stream, status="101")],
    "status of two digits": lambda wire, stream: [wire.head(stream, status="20", ends=True)],
    "request's pseudo-field": lambda wire, stream: [wire.head(stream, encoded=OK_HEAD + literal(b":path", b"/"), ends=True)],
    "pseudo-field after others": lambda wire, stream: [wire.head(stream, encoded=literal(b"x-a", b"b") + OK_HEAD, ends=True)],
    "two lengths": lambda wire, stream: [wire.head(stream, [("content-length", "1"), ("content-length", "2")]), wire.body(stream)],
    "length no number": lambda wire, stream: [wire.head(stream, [("content-length", "2x")]), wire.body(stream)],
    "body before the head": lambda wire, stream: [wire.body(stream)],
    "reset": lambda wire, stream: [RstStreamFrame(stream, 2)],
    "GOAWAY and the end": lambda wire, stream: [GoAwayFrame(0, last_stream_id=stream, error_code=2), wire.peer.close() or b""],
    "header list of 80 KiB": lambda wire, stream: [with_bytes(HeadersFrame(stream), OK_HEAD + literal(b"cookie", b"b" * 126) * 90)]
    + [with_bytes(ContinuationFrame(stream), literal(b"cookie", b"b" * 126) * 120)] * 5,
    "200 fields": lambda wire, stream: [wire.head(stream, encoded=OK_HEAD + literal(b"x-a", b"b") * 200, ends=True)],
    "HPACK bomb": lambda wire, stream: [wire.head(stream, encoded=OK_HEAD + b"\x40\x03x-b\x7f\xb9\x16" + b"x" * 3000 + b"\xbe" * 12_000)],
    "CONTINUATION flood": lambda wire, stream: [with_bytes(HeadersFrame(stream), OK_HEAD)] + [ContinuationFrame(stream).serialize() * 1000] * 10,
    "PING flood": lambda wire, stream: [PingFrame(0, b"12345678").serialize() * 1000] * 50,
    "SETTINGS flood": lambda wire, stream: [SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 1000}).serialize() * 1000] * 50,
    "HTTP/1 instead": lambda wire, stream: [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    "garbage": lambda wire, stream: [b"\xff" * 64],
    "push": lambda wire, stream: [with_flags(with_bytes(PushPromiseFrame(stream, 2), b"\x82\x87\x84\x41\x01a"), {"END_HEADERS"})],
    "answer on a stream that nobody opened": lambda wire, stream: [wire.head(stream + 100), wire.body(stream + 100)],
}


def with_flags(frame, flags):
    frame.flags = flags
    return frame


@pytest.mark.parametrize("name", ORIGIN_FAULTS)
def test_fault_of_an_origin(rig, name):
    """44, 49, 51, 52: 502 and an `error` line; the next request and other origins are well."""
    made = rig(responding(ORIGIN_FAULTS[name]))
    answer = made.get("/bad")
    assert answer.status == 502 and b"ok" != answer.body, answer
    line = made.leash.log.wait_for(event="error", url=lambda url: url and url.endswith("/bad"))
    assert line["reason"] and line["host"] == HOST
    assert made.get("/good").body == b"ok"
    assert made.get("/good", OTHER_HOST).body == b"ok"


@pytest.mark.parametrize("length,data", [("1", b"ok"), ("3", b"ok")], ids=["too much", "too little"])
def test_length_of_an_origin_that_does_not_fit_is_no_whole_answer(rig, length, data):
    made = rig(responding(lambda wire, stream: [wire.head(stream, [("content-length", length)]), wire.body(stream, data)]))
    port = made.origin.port
    conn = made.leash.tunnel(HOST, port)
    conn.send(f"GET /bad HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n")
    received = conn.read_to_end()
    conn.close()
    head, _, body = received.partition(b"\r\n\r\n")
    assert b" 502 " in head.split(b"\r\n")[0] or (f"content-length: {length}".encode() in head.lower() and len(body) < int(length)), received
    made.leash.log.wait_for(event="error", url=lambda url: url and url.endswith("/bad"))
    assert made.get("/good").body == b"ok"


def test_second_response_of_an_http2_origin_reaches_nobody(rig):
    """44: what comes behind the end of a stream is nobody's."""
    made = rig(responding(lambda wire, stream: [wire.head(stream), wire.body(stream), wire.head(stream, [("x-evil", "1")]), wire.body(stream, b"poison")]))
    assert made.get("/bad").body == b"ok"
    for _ in range(5):
        answer = made.get("/good")
        assert answer.body == b"ok" and answer.get("x-evil") is None


def test_answer_before_the_request_reaches_nobody(rig):
    """On a stream that leash has not opened yet."""
    def script(wire):
        for stream, _ in wire.requests():
            if stream == 1:
                wire.send(wire.head(stream), wire.body(stream), wire.head(stream + 2), wire.body(stream + 2, b"poison"))
            else:
                wire.answer(stream)
    made = rig(script)
    port = made.origin.port
    with made.leash.tunnel(HOST, port) as conn:
        for _ in range(4):
            assert conn.get("/", f"{HOST}:{port}").body == b"ok"


def test_rapid_reset_by_an_origin_ends_its_connection_only(rig):
    """An origin that resets each stream that leash opens, and one that answers."""
    made = rig(responding(lambda wire, stream: [RstStreamFrame(stream, 11)]))
    port = made.origin.port
    with made.leash.tunnel(HOST, port) as conn:
        for _ in range(30):
            assert conn.get("/bad", f"{HOST}:{port}").status == 502
        assert conn.get("/good", f"{HOST}:{port}").body == b"ok"
    assert made.get("/good", OTHER_HOST).body == b"ok"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("times", [1, 2])
def test_refused_stream_is_asked_again_once(rig, method, times):
    """RFC 9113 s. 8.7: REFUSED_STREAM says that nothing was done, whatever the method."""
    seen = []

    def script(wire):
        for stream, path in wire.requests():
            seen.append(path)
            if path == "/bad" and seen.count("/bad") <= times:
                wire.send(RstStreamFrame(stream, 7))
            else:
                wire.answer(stream)
    made = rig(script)
    assert made.get("/bad", method=method).status == (200 if times == 1 else 502)
    assert seen.count("/bad") == 2
    assert made.get("/good").body == b"ok"
    assert len(made.leash.log.lines(event="request", url=lambda url: url and url.endswith("/bad"))) == 1


def test_closed_window_of_an_origin_holds_one_upload_only(rig):
    """53: an origin that takes nothing: that upload ends with the limit, others go on."""
    def script(wire):
        wire.send(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 0}))
        for stream, path in wire.requests():
            if path != "/bad":
                wire.answer(stream)
    made = rig(script)
    port = made.origin.port
    conn = made.leash.tunnel(HOST, port)
    conn.send(f"POST /bad HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Length: 4000000\r\n\r\n")
    writer = threading.Thread(target=lambda: conn.send(b"x" * 4_000_000), daemon=True)
    writer.start()
    assert made.get("/good").body == b"ok"
    line = made.leash.log.wait_for(event="error", url=lambda url: url and url.endswith("/bad"))
    assert line["reason"].startswith("idle_timeout")
    # leash has ended the connection, so the writer ends; before the close, since a TLS object is not for two threads.
    writer.join(DEADLINE)
    assert not writer.is_alive()
    conn.close()
