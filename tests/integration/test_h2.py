"""HTTP/2 on either leg, each mapped to the other's protocol without a seam (docs/THREATS.md, HTTP/2)."""

import threading

import pytest
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from support.h2 import H2Client, H2Origin, RawH2
from support.http import Closed
from support.origin import message, raw, server_context
from support.wait import DEADLINE, IS_SANITIZED
from support.world import marker


@pytest.fixture(scope="module")
def leash(module_leash, world, h2_origin):
    return module_leash(mode="enforce", **world.options(
        allow=world.allow + [{"host": "h2.test", "ports": [h2_origin.port]}], hosts=dict(world.hosts, **{"h2.test": "127.0.0.1"})))


@pytest.fixture(scope="module")
def h2_origin(pki):
    with H2Origin(server_context(pki.issue("h2.test"), ("h2", "http/1.1"))) as origin:
        yield origin


def open_h2(leash, host, port, **options):
    conn = leash.tunnel(host, port, alpn=("h2",))
    assert conn.sock.selected_alpn_protocol() == "h2"
    return H2Client(conn, **options)


@pytest.fixture
def client(leash, world):
    made = open_h2(leash, world.ALLOWED, world.tls.port)
    yield made
    made.conn.close()


def logged(leash, word, event="allowed", since=0):
    return leash.log.wait_for(since, event=event, url=lambda url: url and word in url)


# Mapping


def test_get_and_post_to_an_http1_origin(leash, world, client):
    word = marker()
    answer = client.get(world.tls_authority, f"/{word}")
    assert (answer.status, answer.body) == (200, b"ok")
    answer = client.get(world.tls_authority, f"/{word}", method="POST", body=b"hello" * 10_000, headers=[("x-a", "b"), ("cookie", "a=1"), ("cookie", "b=2")])
    assert answer.status == 200
    get, post = world.tls.requests_for(f"/{word}")
    assert get.version == "HTTP/1.1" and get.all("host") == [world.tls_authority]
    assert post.body == b"hello" * 10_000 and post.get("x-a") == "b" and post.all("cookie") == ["a=1; b=2"]
    line = logged(leash, word)
    assert line["url"] == f"https://{world.tls_authority}/{word}" and line["host"] == world.ALLOWED
    assert line["res_body"] == "ok"


def test_http2_on_both_legs(leash, h2_origin):
    client = open_h2(leash, "h2.test", h2_origin.port)
    word = marker()
    answer = client.get(f"h2.test:{h2_origin.port}", f"/{word}", method="POST", body=b"hello", headers=[("te", "trailers")])
    assert (answer.status, answer.body) == (200, b"ok")
    client.conn.close()
    request = h2_origin.by_path(f"/{word}")[0]
    fields = dict(request["fields"])
    assert fields[":authority"] == f"h2.test:{h2_origin.port}" and fields[":scheme"] == "https" and request["body"] == b"hello"
    assert logged(leash, word)["alpn"] == "h2"


def test_http1_client_of_an_http2_origin(leash, h2_origin):
    word = marker()
    with leash.tunnel("h2.test", h2_origin.port) as conn:
        for _ in range(3):
            answer = conn.get(f"/{word}", f"h2.test:{h2_origin.port}", method="PUT", body=b"hello", headers=[("Connection", "keep-alive")])
            assert (answer.status, answer.body) == (200, b"ok")
    request = h2_origin.by_path(f"/{word}")[0]
    assert not {"connection", "host", "keep-alive", "transfer-encoding"} & {name for name, _ in request["fields"]}


def test_streams_side_by_side(leash, world, client):
    """One stalls, the others go on."""
    word, gate = marker(), threading.Event()

    def slow(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        gate.wait(DEADLINE)
        exchange.close()
    world.tls.on(f"/{word}slow", slow)
    stalled = client.request(world.tls_authority, f"/{word}slow")
    client.wait(lambda: client.responses[stalled].body == b"data: 1\n\n")
    streams = [client.request(world.tls_authority, f"/{word}{number}") for number in range(50)]
    for stream in streams:
        assert client.response(stream).status == 200
    gate.set()
    client.response(stalled)
    assert len(world.tls.requests) >= 51
    for number in range(50):
        logged(leash, f"{word}{number}")


def test_a_burst_shares_its_origin_connections(make_leash, world, pki):
    """Those for whom there is no room yet wait together for the next connection, and not each for its own."""
    with H2Origin(server_context(pki.issue("h2.test"), ("h2",)), streams=10) as origin:
        leash = make_leash(mode="enforce", **world.options(
            allow=[{"host": "h2.test", "ports": [origin.port]}], hosts={"h2.test": "127.0.0.1"}))
        client = open_h2(leash, "h2.test", origin.port)
        # By its answer there is one connection whose number of streams is known: the burst does not meet it half made.
        assert client.get(f"h2.test:{origin.port}", "/first").status == 200
        send, client.flush = client.flush, lambda: None
        streams = [client.request(f"h2.test:{origin.port}", f"/{number}") for number in range(120)]
        client.flush = send
        client.flush()  # all at once
        for stream in streams:
            assert client.response(stream).status == 200
        client.conn.close()
        assert origin.connections <= 5


@pytest.mark.parametrize("to", ["h1", "h2"])
def test_large_bodies_both_ways(leash, world, h2_origin, to):
    body = bytes(range(256)) * 16 * 1024
    host, origin = (world.ALLOWED, world.tls) if to == "h1" else ("h2.test", h2_origin)
    client = open_h2(leash, host, origin.port)
    word = marker()
    if to == "h1":
        origin.on(f"/{word}", lambda exchange: exchange.send(message(body=exchange.read_body())))
    else:
        origin.answer = lambda request: (200, [], request["body"] or b"ok")
    answer = client.get(f"{host}:{origin.port}", f"/{word}", method="POST", body=body)
    assert answer.body == body
    client.conn.close()


def test_trailers_and_grpc(leash, world, client):
    word = marker()
    world.tls.on(f"/{word}", raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ngrpc-status: 0\r\n\r\n", close=False))
    answer = client.get(world.tls_authority, f"/{word}", method="POST", body=b"x", headers=[("te", "trailers"), ("content-type", "application/grpc")])
    assert answer.body == b"hello" and ("grpc-status", "0") in answer.trailers


def test_interim_responses(leash, world, client):
    """In the origin's order, its 100 left out."""
    word = marker()
    world.tls.on(f"/{word}", raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" b"HTTP/1.1 100 Continue\r\n\r\n"
                                 b"HTTP/1.1 102 Processing\r\n\r\n", message(body=b"final"), close=False))
    answer = client.get(world.tls_authority, f"/{word}")
    assert (answer.status, answer.body) == (200, b"final")
    assert answer.interim == [[(":status", "103"), ("link", "</a>")], [(":status", "102")]]


@pytest.mark.parametrize("method,status", [("GET", 200), ("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_head_that_is_all_ends_its_stream(leash, world, method, status):
    """Without an empty DATA frame behind it: there are clients to whom that is another message (gRPC's trailers only)."""
    word = marker()
    world.tls.on(f"/{word}", raw(message(status, headers=[("X-A", "b")], length=status == 200), close=False))
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    h2, head = RawH2(conn), HeadersFrame(1)
    head.data = h2.encoder.encode(field_set(world, f"/{word}", **{":method": method}))
    head.flags = {"END_HEADERS", "END_STREAM"}
    h2.send(SettingsFrame(), head)
    answer = next(frame for frame in h2.frames() if frame.stream_id == 1)
    assert isinstance(answer, HeadersFrame) and "END_STREAM" in answer.flags
    conn.close()


def test_block_is_one_stream_s_affair(make_leash, world):
    leash = make_leash(mode="enforce", **world.options(allow=[dict(world.allow[0], paths=[{"prefix": "/ok"}])]))
    client = open_h2(leash, world.ALLOWED, world.tls.port)
    answer = client.get(world.tls_authority, "/no?x=1")
    assert answer.status == 403 and answer.get("content-type") == "text/plain"
    assert answer.body == f"leash: {world.tls_authority}/no?x=1 blocked (path_not_allowed)\n".encode()
    assert client.get(world.tls_authority, "/ok").status == 200
    client.conn.close()
    assert leash.log.wait_for(event="blocked")["url"] == f"https://{world.tls_authority}/no?x=1"


@pytest.mark.parametrize("authority", ["deny.test", "sub.allow.test", "allow.test:1"])
def test_coalesced_request_for_another_name(leash, world, client, authority):
    """50: one exact name a leaf; 421 for every other."""
    word, since = marker(), leash.log.mark()
    answer = client.get(authority, f"/{word}")
    assert answer.status == 421
    assert not world.tls.saw(word) and world.saw_nothing_denied()
    leash.log.wait_for(since, reason=lambda reason: reason and reason.startswith("name_mismatch"))


def test_refused_upload_does_not_stop_the_connection(make_leash, world):
    leash = make_leash(mode="enforce", **world.options(allow=[dict(world.allow[0], paths=[{"prefix": "/ok"}])]))
    client = open_h2(leash, world.ALLOWED, world.tls.port)
    stream = client.request(world.tls_authority, "/no", method="POST", ends=False)
    client.wait(lambda: client.responses[stream].status)
    assert client.responses[stream].status == 403
    assert client.get(world.tls_authority, "/ok").status == 200
    client.conn.close()


# Attacks


def field_set(world, path, **change):
    fields = {":method": "GET", ":scheme": "https", ":authority": world.tls_authority, ":path": path}
    fields.update(change)
    return [(name, value) for name, value in fields.items() if value is not None]


SMUGGLED = "x\r\nGET / HTTP/1.1\r\nHost: deny.test"
BAD_FIELDS = {
    "CR LF in a value": [("x-a", SMUGGLED)],
    "LF in a value": [("x-a", "b\nx-c: d")],
    "NUL in a value": [("x-a", "b\x00c")],
    "CR LF in a name": [("x-a: b\r\nx-c", "d")],
    "colon in a name": [("x:a", "b")],
    "blank in a name": [("x a", "b")],
    "upper case": [("X-A", "b")],
    "empty name": [("", "b")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "connection": [("connection", "x-a")],
    "keep-alive": [("keep-alive", "timeout=5")],
    "upgrade": [("upgrade", "websocket")],
    "proxy-connection": [("proxy-connection", "keep-alive")],
    "te other than trailers": [("te", "gzip")],
    "two lengths": [("content-length", "1"), ("content-length", "2")],
    "length no number": [("content-length", "1x")],
    "host that differs": [("host", "deny.test")],
    "unknown pseudo-field": [(":foo", "b")],
    "pseudo-field after others": [("x-a", "b"), (":method", "POST")],
    "leading blank in a value": [("x-a", " \tb\r")],
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_bad_fields_never_leave(leash, world, name):
    """49: checked by RFC 9113 s. 8 before anything is mapped."""
    client = open_h2(leash, world.ALLOWED, world.tls.port)
    word, since = marker(), leash.log.mark()
    stream = client.raw_request(field_set(world, f"/{word}") + BAD_FIELDS[name])
    try:
        answer = client.response(stream)
        assert answer.reset is not None or answer.status in (400, 421), (answer.status, answer.headers)
    except Closed:
        pass
    client.conn.close()
    assert not world.tls.saw(word) and not world.tls.saw("deny.test") and world.saw_nothing_denied()
    leash.log.wait_for(since, event=lambda event: event in ("error", "blocked"))


BAD_PSEUDO = {
    "no method": {":method": None}, "no path": {":path": None}, "no scheme": {":scheme": None}, "no authority": {":authority": None},
    "empty path": {":path": ""}, "path without slash": {":path": "x"}, "path with blank": {":path": "/a b"},
    "path with CR LF": {":path": "/a HTTP/1.1\r\nHost: deny.test\r\n\r\n"}, "fragment in path": {":path": "/a#b"},
    "method with blank": {":method": "GET /x HTTP/1.1\r\n"}, "method no token": {":method": "G(T"}, "empty method": {":method": ""},
    "userinfo": {":authority": "a@allow.test"}, "authority with path": {":authority": "allow.test/x"}, "scheme http": {":scheme": "http"},
    "scheme file": {":scheme": "file"}, "CONNECT": {":method": "CONNECT", ":scheme": None, ":path": None, ":authority": "deny.test:443"},
    "extended CONNECT": {":method": "CONNECT", ":protocol": "connect-udp"},
}


@pytest.mark.parametrize("name", BAD_PSEUDO)
def test_bad_pseudo_fields_never_leave(leash, world, name):
    client = open_h2(leash, world.ALLOWED, world.tls.port)
    word, since = marker(), leash.log.mark()
    stream = client.raw_request(field_set(world, f"/{word}", **BAD_PSEUDO[name]) + [("x-word", word)])
    try:
        answer = client.response(stream)
        assert answer.reset is not None or 400 <= answer.status < 600, (answer.status, answer.headers)
    except Closed:
        pass
    client.conn.close()
    assert not world.tls.saw(word) and world.saw_nothing_denied()
    leash.log.wait_for(since, event=lambda event: event in ("error", "blocked"))


@pytest.mark.parametrize("length,body", [(3, b"hello"), (10, b"hello")], ids=["too much", "too little"])
def test_length_that_does_not_fit_the_data(leash, world, length, body):
    client = open_h2(leash, world.ALLOWED, world.tls.port)
    word = marker()
    stream = client.request(world.tls_authority, f"/{word}", method="POST", body=body, headers=[("content-length", str(length))])
    try:
        answer = client.response(stream)
        assert answer.reset is not None or answer.status == 400
    except Closed:
        pass
    client.conn.close()
    assert not any(request.is_whole for request in world.tls.requests_for(f"/{word}"))
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        assert conn.get("/after", world.tls_authority).status == 200


def flood(leash, world, frames, count, then=None):
    """Sends the frames that many times; the proxy must end it. Returns the frames that came back."""
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    h2 = RawH2(conn)
    h2.send(SettingsFrame())
    block = b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames)

    def write():
        try:
            for _ in range(count):
                if conn.was_reset:
                    return
                conn.send(block)
        except (OSError, ValueError):
            pass
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    writer.join(DEADLINE)  # before the first look at the answer: a TLS object is not for two threads
    last = None
    for frame in h2.frames():
        last = frame
    conn.close()
    return last


def check_alive(leash, world):
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        assert conn.get("/alive", world.tls_authority).status == 200
    assert leash.peak_mib < (1500 if IS_SANITIZED else 128)


def test_rapid_reset(leash, world):
    """51: CVE-2023-44487."""
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    h2 = RawH2(conn)
    h2.send(SettingsFrame())
    since = leash.log.mark()

    def write():
        try:
            for number in range(20_000):
                if conn.was_reset:
                    return
                stream = 1 + number * 2
                head = HeadersFrame(stream)
                head.data = h2.encoder.encode([(":method", "GET"), (":scheme", "https"), (":authority", world.tls_authority), (":path", "/rapid")])
                head.flags = {"END_HEADERS", "END_STREAM"}
                reset = RstStreamFrame(stream)
                reset.error_code = 8
                h2.send(head, reset)
        except (OSError, ValueError):
            pass
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    writer.join(DEADLINE)
    for _ in h2.frames():
        pass
    conn.close()
    assert len(world.tls.requests_for("/rapid")) < 5000
    leash.log.wait_for(since, event=lambda event: event in ("error", "tunnel_closed"))
    check_alive(leash, world)


def test_continuation_flood(leash, world):
    """51: CVE-2024-27316."""
    head = HeadersFrame(1)
    head.data = b"\x00\x03x-a\x01b"
    more = ContinuationFrame(1)
    more.data = (b"\x00\x03x-a\x7f\x81\x00" + b"b" * 255) * 10
    flood(leash, world, [head, *[more] * 5000], 1)
    check_alive(leash, world)


def test_empty_continuations(leash, world):
    head = HeadersFrame(1)
    head.data = b"\x00\x03x-a\x01b"
    flood(leash, world, [head.serialize() + ContinuationFrame(1).serialize() * 100_000], 1)
    check_alive(leash, world)


def test_hpack_bomb(leash, world):
    """52: one large entry, referred to thousands of times."""
    large = b"x" * 3000
    head = HeadersFrame(1)
    block = b"\x82\x87\x84\x41" + bytes([len(world.tls_authority)]) + world.tls_authority.encode()
    block += b"\x40\x03x-b\x7f" + bytes([(3000 - 127) & 0x7f | 0x80, (3000 - 127) >> 7]) + large
    block += b"\xbe" * 12_000
    head.data = block
    head.flags = {"END_HEADERS", "END_STREAM"}
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    h2 = RawH2(conn)
    h2.send(SettingsFrame(), head)
    frames = h2.frames()
    assert any(frame.type in (RstStreamFrame.type, 7) or (isinstance(frame, HeadersFrame)) for frame in frames)
    conn.close()
    check_alive(leash, world)


@pytest.mark.parametrize("kind", ["ping", "settings", "empty data"])
def test_floods_end(leash, world, kind):
    """51: CVE-2019-9512 and its kin."""
    if kind == "ping":
        frame = PingFrame(0)
        frame.opaque_data = b"12345678"
        frames = [frame]
    elif kind == "settings":
        frames = [SettingsFrame()]
    else:
        frames = [DataFrame(1)]
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    h2 = RawH2(conn)
    h2.send(SettingsFrame())
    if kind == "empty data":
        head = HeadersFrame(1)
        head.data = h2.encoder.encode([(":method", "POST"), (":scheme", "https"), (":authority", world.tls_authority), (":path", "/empty")])
        head.flags = {"END_HEADERS"}
        h2.send(head)
    block = b"".join(frame.serialize() for frame in frames) * 1000
    for _ in range(300):
        if conn.was_reset:
            break
        conn.send(block)
    conn.close()
    check_alive(leash, world)


def test_too_many_streams(leash, world):
    """The proxy's own limit holds even for a client that ignores it."""
    gate = threading.Event()
    world.tls.on("/hold", lambda exchange: gate.wait(DEADLINE))
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    h2 = RawH2(conn)
    h2.send(SettingsFrame())
    for number in range(400):
        head = HeadersFrame(1 + number * 2)
        head.data = h2.encoder.encode([(":method", "GET"), (":scheme", "https"), (":authority", world.tls_authority), (":path", "/hold")])
        head.flags = {"END_HEADERS", "END_STREAM"}
        h2.send(head)
    refused = 0
    for frame in h2.frames():
        if isinstance(frame, RstStreamFrame):
            refused += 1
            if refused >= 200:
                break
    gate.set()
    conn.close()
    assert len(world.tls.requests_for("/hold")) <= 200
    check_alive(leash, world)


def test_window_of_zero_holds_no_memory(make_leash, world):
    """53: a client that opens no window gets nothing, and costs a bounded buffer a stream."""
    leash = make_leash(mode="enforce", **world.options())
    world.tls.on("/big", lambda exchange: exchange.send(message(body=b"x" * (4 << 20), headers=[("Content-Type", "application/octet-stream")])))
    client = open_h2(leash, world.ALLOWED, world.tls.port, window=0)
    streams = [client.request(world.tls_authority, "/big") for _ in range(50)]
    for stream in streams:
        client.wait(lambda: client.responses[stream].status)
    assert all(client.responses[stream].body == b"" for stream in streams)
    assert leash.peak_mib < (1500 if IS_SANITIZED else 96)
    client.conn.close()


def test_reset_stream_ends_at_the_origin(leash, world, client):
    word, gone = marker(), threading.Event()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n")
        try:
            while True:
                exchange.send(b"x" * 65536)
        except OSError:
            gone.set()
            raise
    world.tls.on(f"/{word}", script)
    stream = client.request(world.tls_authority, f"/{word}")
    client.wait(lambda: len(client.responses[stream].body) > 10_000)
    client.h2.reset_stream(stream, 8)
    client.flush()
    assert gone.wait(DEADLINE)
    logged(leash, word, "error")
    assert client.get(world.tls_authority, f"/{word}after").status == 200


def test_window_overflow_ends_the_connection(leash, world):
    frame = WindowUpdateFrame(0)
    frame.window_increment = 0x7fffffff
    flood(leash, world, [frame, frame], 1)
    check_alive(leash, world)
