"""Malformed messages: never forwarded, always answered, always on record (docs/THREATS.md, HTTP/1 framing).

Each bad request is sent on a plain proxy connection and inside a tunnel, as the first request and after a legal one,
with a request for a denied host smuggled behind it. {T} is the target, {H} the authority, {M} a word of its own.
"""

import threading

import pytest

from support.http import Closed
from support.origin import raw, reply
from support.wait import DEADLINE
from support.world import Way, marker

GET = "GET {T} HTTP/1.1\r\nHost: {H}\r\n"
POST = "POST {T} HTTP/1.1\r\nHost: {H}\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n\r\n"
BAD = (400,)
BAD_VERSION = (400, 505)
BAD_CODING = (400, 501)
TOO_LARGE = (400, 414, 431)

# name: (bytes, statuses that are right)
BAD_HEADS = {
    # 31: both lengths
    "CL.TE": (POST + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", BAD),
    "TE.CL": (POST + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n", BAD),
    "CL.TE in odd case": (POST + "content-length: 6\r\ntRANSFER-eNCODING: chunked\r\n\r\n0\r\n\r\nG", BAD),
    # 32: several lengths
    "two equal lengths": (POST + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", BAD),
    "two different lengths": (POST + "Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello", BAD),
    "length list": (POST + "Content-Length: 5, 5\r\n\r\nhello", BAD),
    "length list without blank": (POST + "Content-Length: 5,5\r\n\r\nhello", BAD),
    "length with plus": (POST + "Content-Length: +5\r\n\r\nhello", BAD),
    "length with minus": (POST + "Content-Length: -5\r\n\r\nhello", BAD),
    "length in hex": (POST + "Content-Length: 0x5\r\n\r\nhello", BAD),
    "length with blank inside": (POST + "Content-Length: 5 0\r\n\r\nhello", BAD),
    "length empty": (POST + "Content-Length:\r\n\r\n", BAD),
    "length with letter": (POST + "Content-Length: 5a\r\n\r\nhello", BAD),
    "length beyond 64 bits": (POST + "Content-Length: 18446744073709551621\r\n\r\nhello", BAD),
    "length with underscore": (POST + "Content-Length: 1_0\r\n\r\n0123456789", BAD),
    # 33: transfer codings
    "TE with blank before colon": (POST + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE after vertical tab": (POST + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE chunked, identity": (POST + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE identity": (POST + "Transfer-Encoding: identity\r\n\r\n", BAD_CODING),
    "TE xchunked": (POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE gzip, chunked": (POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE twice": (POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE twice in one line": (POST + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE quoted": (POST + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE with parameter": (POST + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE empty": (POST + "Transfer-Encoding:\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE empty list member": (POST + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    "TE in HTTP/1.0": ("POST {T} HTTP/1.0\r\nHost: {H}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    # 34: line ends
    "LF only": ("GET {T} HTTP/1.1\nHost: {H}\n\n", BAD),
    "LF after request line": ("GET {T} HTTP/1.1\nHost: {H}\r\n\r\n", BAD),
    "LF after a field": (GET + "X-A: b\nX-C: d\r\n\r\n", BAD),
    "LF as last empty line": (GET + "X-A: b\r\n\n", BAD),
    "CR in a value": (GET + "X-A: b\rX-C: d\r\n\r\n", BAD),
    "CR CR LF": (GET + "X-A: b\r\r\nX-C: d\r\n\r\n", BAD),
    "CR in the request line": ("GET {T} HTTP/1.1\rHost: {H}\r\n\r\n", BAD),
    "NUL in a value": (GET + "X-A: b\x00c\r\n\r\n", BAD),
    "DEL in a value": (GET + "X-A: b\x7fc\r\n\r\n", BAD),
    "escape in a value": (GET + "X-A: \x1b[31m\r\n\r\n", BAD),
    # 35: folding
    "folded TE": (POST + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", BAD),
    "folded value": (GET + "X-A: b\r\n c\r\n\r\n", BAD),
    "folded by tab": (GET + "X-A: b\r\n\tc\r\n\r\n", BAD),
    "blank before the first field": ("GET {T} HTTP/1.1\r\n Host: {H}\r\nHost: {H}\r\n\r\n", BAD),
    # 38: names
    "name with blank": (GET + "X A: b\r\n\r\n", BAD),
    "blank before colon": (GET + "X-A : b\r\n\r\n", BAD),
    "empty name": (GET + ": b\r\n\r\n", BAD),
    "line without colon": (GET + "X-A\r\n\r\n", BAD),
    "name in brackets": (GET + "X[A]: b\r\n\r\n", BAD),
    # 39: request line
    "two blanks before target": ("GET  {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "two blanks before version": ("GET {T}  HTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "blank after version": ("GET {T} HTTP/1.1 \r\nHost: {H}\r\n\r\n", BAD_VERSION),
    "tab in request line": ("GET\t{T}\tHTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "blank before method": (" GET {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "no version": ("GET {T}\r\nHost: {H}\r\n\r\n", BAD_VERSION),
    "HTTP/1.10": ("GET {T} HTTP/1.10\r\nHost: {H}\r\n\r\n", BAD_VERSION),
    "HTTP/01.1": ("GET {T} HTTP/01.1\r\nHost: {H}\r\n\r\n", BAD_VERSION),
    "HTTP/2.0": ("GET {T} HTTP/2.0\r\nHost: {H}\r\n\r\n", BAD_VERSION),
    "HTTP/0.9": ("GET {T} HTTP/0.9\r\nHost: {H}\r\n\r\n", BAD_VERSION),
    "http in lower case": ("GET {T} http/1.1\r\nHost: {H}\r\n\r\n", BAD_VERSION),
    "other protocol": ("GET {T} ICAP/1.0\r\nHost: {H}\r\n\r\n", BAD_VERSION),
    "method no token": ("GE(T {T} HTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "no method": ("{T} HTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "fragment": ("GET {T}#part HTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "control byte in target": ("GET {T}\x01 HTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "NUL in target": ("GET {T}\x00 HTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "byte above ASCII in target": ("GET {T}\xe9 HTTP/1.1\r\nHost: {H}\r\n\r\n", BAD),
    "target of 200 kB": ("GET {T}?" + "a" * 200_000 + " HTTP/1.1\r\nHost: {H}\r\n\r\n", TOO_LARGE),
    "HTTP/2 preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD_VERSION),
    # 5: Host
    "no Host": ("GET {T} HTTP/1.1\r\nX-M: {M}\r\n\r\n", BAD),
    "two Hosts": (GET + "Host: {H}\r\n\r\n", BAD),
    "two Hosts that differ": (GET + "Host: deny.test\r\n\r\n", BAD),
    "Host list": ("GET {T} HTTP/1.1\r\nHost: {H}, deny.test\r\n\r\n", BAD),
    "Host empty": ("GET {T} HTTP/1.1\r\nHost:\r\n\r\n", BAD),
    "Host with blank": ("GET {T} HTTP/1.1\r\nHost: {H} x\r\n\r\n", BAD),
    "Host with tab": ("GET {T} HTTP/1.1\r\nHost: allow\t.test\r\n\r\n", BAD),
    "Host with userinfo": ("GET {T} HTTP/1.1\r\nHost: a@{H}\r\n\r\n", BAD),
    "Host with path": ("GET {T} HTTP/1.1\r\nHost: {H}/x\r\n\r\n", BAD),
    # 72: bombs
    "one field of 100 kB": (GET + "X-A: " + "b" * 100_000 + "\r\n\r\n", TOO_LARGE),
    "a thousand fields": (GET + "X-A: b\r\n" * 1000 + "\r\n", TOO_LARGE),
}

# The head is good, so the origin may see it; the body never comes to an end.
BAD_BODIES = {
    # 36: chunks
    "chunk extension": (CHUNKED + "5;a=b\r\nhello\r\n0\r\n\r\n", BAD),
    "chunk extension ended by LF": (CHUNKED + "5;a=\nhello\r\n0\r\n\r\n", BAD),
    "chunk size with 0x": (CHUNKED + "0x5\r\nhello\r\n0\r\n\r\n", BAD),
    "chunk size with plus": (CHUNKED + "+5\r\nhello\r\n0\r\n\r\n", BAD),
    "chunk size with minus": (CHUNKED + "-5\r\nhello\r\n0\r\n\r\n", BAD),
    "blank after chunk size": (CHUNKED + "5 \r\nhello\r\n0\r\n\r\n", BAD),
    "blank before chunk size": (CHUNKED + " 5\r\nhello\r\n0\r\n\r\n", BAD),
    "chunk size beyond 64 bits": (CHUNKED + "10000000000000005\r\nhello\r\n0\r\n\r\n", BAD),
    "chunk size of many zeros": (CHUNKED + "0" * 40 + "5\r\nhello\r\n0\r\n\r\n", BAD),
    "chunk size empty": (CHUNKED + "\r\nhello\r\n0\r\n\r\n", BAD),
    "chunk size not hex": (CHUNKED + "5g\r\nhello\r\n0\r\n\r\n", BAD),
    "LF after chunk size": (CHUNKED + "5\nhello\r\n0\r\n\r\n", BAD),
    "LF after chunk": (CHUNKED + "5\r\nhello\n0\r\n\r\n", BAD),
    "CR after chunk size": (CHUNKED + "5\rhello\r\n0\r\n\r\n", BAD),
    "chunk longer than said": (CHUNKED + "5\r\nhelloXX\r\n0\r\n\r\n", BAD),
    "LF after last chunk": (CHUNKED + "5\r\nhello\r\n0\n\r\n", BAD),
    "extension of 100 kB": (CHUNKED + "5;" + "a" * 100_000 + "\r\nhello\r\n0\r\n\r\n", TOO_LARGE),
    # 37: trailers
    "trailer name with blank": (CHUNKED + "0\r\nX A: b\r\n\r\n", BAD),
    "trailer folded": (CHUNKED + "0\r\nX-A: b\r\n c\r\n\r\n", BAD),
    "trailer ended by LF": (CHUNKED + "0\r\nX-A: b\n\r\n", BAD),
    "trailers of 100 kB": (CHUNKED + "0\r\nX-A: " + "b" * 100_000 + "\r\n\r\n", TOO_LARGE),
}

WAYS = [("enforce", "plain", "first"), ("enforce", "plain", "second"), ("enforce", "tunnel", "first"),
        ("enforce", "tunnel", "second"), ("audit", "plain", "first"), ("audit", "tunnel", "first")]


@pytest.fixture(scope="module")
def leashes(module_leash, world):
    """One leash a mode, made when first asked for."""
    made = {}

    def get(mode):
        if mode not in made:
            made[mode] = module_leash(mode=mode, **world.options())
        return made[mode]
    return get


def send_bad(leash, world, via, state, text):
    """Sends it with a request for the denied host behind it: (way, its word, the log's mark, the answer)."""
    way = Way(leash, world, via)
    if state == "second":
        way.legal()
    word = marker()
    since = leash.log.mark()
    smuggled = f"GET http://{world.denied_plain_authority}/{word} HTTP/1.1\r\nHost: {world.denied_plain_authority}\r\n\r\n"
    way.conn.send(way.fill(text, word) + smuggled)
    return way, word, since, way.conn.response()


def check_refused(leash, way, since, answer, statuses):
    assert answer.status in statuses, answer
    assert answer.get("content-type") == "text/plain"
    assert answer.body.startswith(b"leash: ") and answer.body.endswith(b"\n") and answer.body.count(b"\n") == 1
    assert way.conn.is_at_end(), "the connection goes on after bad framing"
    line = leash.log.wait_for(since, event="error", client="127.0.0.1")
    assert line["reason"] and not line["reason"].startswith("internal"), line
    way.conn.close()


@pytest.mark.parametrize("mode,via,state", WAYS, ids=["-".join(way) for way in WAYS])
@pytest.mark.parametrize("name", BAD_HEADS)
def test_bad_head_never_leaves(leashes, world, name, mode, via, state):
    text, statuses = BAD_HEADS[name]
    leash = leashes(mode)
    way, word, since, answer = send_bad(leash, world, via, state, text)
    check_refused(leash, way, since, answer, statuses)
    assert not way.origin.saw(word)
    assert world.saw_nothing_denied()


@pytest.mark.parametrize("mode,via,state", WAYS, ids=["-".join(way) for way in WAYS])
@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_body_never_comes_to_its_end(leashes, world, name, mode, via, state):
    text, statuses = BAD_BODIES[name]
    leash = leashes(mode)
    way, word, since, answer = send_bad(leash, world, via, state, text)
    check_refused(leash, way, since, answer, statuses)
    assert not any(request.is_whole for request in way.origin.requests_for(f"/{word}"))
    assert world.saw_nothing_denied()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_byte_values_in_a_field_name(leashes, world, via):
    """Of the 256 values only the token characters pass (RFC 9110 s. 5.6.2)."""
    token = set(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    leash = leashes("enforce")
    way = Way(leash, world, via)
    for value in sorted(token):
        word = marker()
        answer = way.conn.ask(way.fill(GET + f"X{chr(value)}Y: {word}\r\n\r\n", word))
        assert answer.status == 200, (value, answer)
        request = way.origin.requests_for(f"/{word}")[0]
        assert (f"X{chr(value)}Y", word) in request.headers
    way.conn.close()
    for value in sorted(set(range(256)) - token - {ord(":")}):
        word = marker()
        way = Way(leash, world, via)
        answer = way.conn.ask(way.fill(GET + f"X{chr(value)}Y: {word}\r\n\r\n", word))
        assert answer.status == 400, (value, answer)
        assert not way.origin.saw(word)
        way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_byte_values_in_a_field_value(leashes, world, via):
    """Controls are refused, bytes above ASCII go on as they are (RFC 9110 s. 5.5)."""
    leash = leashes("enforce")
    for value in [0, 1, 8, 10, 11, 12, 13, 14, 27, 31, 127]:
        word = marker()
        way = Way(leash, world, via)
        answer = way.conn.ask(way.fill(GET + f"X-A: b{chr(value)}c\r\n\r\n", word))
        assert answer.status == 400, (value, answer)
        assert not way.origin.saw(word)
        way.conn.close()
    way = Way(leash, world, via)
    for value in [9, 32] + list(range(128, 256)):
        word = marker()
        answer = way.conn.ask(way.fill(GET + f"X-A: b{chr(value)}c\r\n\r\n", word))
        assert answer.status == 200, (value, answer)
        assert way.origin.requests_for(f"/{word}")[0].get("x-a") == f"b{chr(value)}c"
    way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_underscore_twin_is_not_merged(leashes, world, via):
    way = Way(leashes("enforce"), world, via)
    word = marker()
    way.conn.ask(way.fill(GET + "X-Y: one\r\nX_Y: two\r\n\r\n", word))
    request = way.origin.requests_for(f"/{word}")[0]
    assert request.all("X-Y") == ["one"] and request.all("X_Y") == ["two"]
    way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_trailers_cannot_frame_route_or_authorise(leashes, world, via):
    way = Way(leashes("enforce"), world, via)
    word = marker()
    answer = way.conn.ask(way.fill(
        POST + "Trailer: Content-Length, Host, X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
        "Content-Length: 99\r\nHost: deny.test\r\nTransfer-Encoding: chunked\r\nAuthorization: Basic eA==\r\n"
        "X-Sum: 1\r\n\r\n", word))
    if answer.status == 200:
        request = way.origin.requests_for(f"/{word}")[0]
        assert request.body == b"hello"
        forbidden = {"content-length", "host", "transfer-encoding", "authorization"}
        assert not forbidden & {name.lower() for name, _ in request.trailers}
        assert request.all("host") == [way.host] and request.get("authorization") is None
        way.legal()
    else:
        assert answer.status == 400
    assert world.saw_nothing_denied()
    way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_hop_by_hop_fields_stay_here(leashes, world, via):
    """41: what Connection names goes, but it cannot take away what the origin needs; proxy credentials never leave."""
    way = Way(leashes("enforce"), world, via)
    word = marker()
    answer = way.conn.ask(way.fill(
        GET + "Connection: keep-alive, X-Hop, Authorization, Host, Cookie\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n"
        "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic c2VjcmV0\r\nTE: gzip\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAABk\r\nAuthorization: Bearer t\r\nCookie: a=b\r\nX-Stay: 1\r\n\r\n", word))
    assert answer.status == 200
    request = way.origin.requests_for(f"/{word}")[0]
    for gone in ("keep-alive", "x-hop", "proxy-connection", "proxy-authorization", "te", "upgrade", "http2-settings"):
        assert request.get(gone) is None, gone
    assert request.get("authorization") == "Bearer t" and request.get("cookie") == "a=b"
    assert request.all("host") == [way.host] and request.get("x-stay") == "1"
    way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_request_that_ends_in_the_middle(leashes, world, via):
    """A client that leaves in its body: the origin never has a whole request, the log has the error."""
    leash = leashes("enforce")
    way = Way(leash, world, via)
    word, since = marker(), leash.log.mark()
    way.conn.send(way.fill(POST + "Content-Length: 100\r\n\r\nhello", word))
    way.origin.wait_for(lambda o: o.requests_for(f"/{word}"))
    way.conn.close()
    leash.log.wait_for(since, event="error", method="POST", url=lambda url: url and word in url)
    assert not any(request.is_whole for request in way.origin.requests_for(f"/{word}"))


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_pieces_of_a_request_one_byte_at_a_time(leashes, world, via):
    way = Way(leashes("enforce"), world, via)
    word = marker()
    for byte in way.fill(POST + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", word):
        way.conn.send(byte)
    assert way.conn.response().status == 200
    assert way.origin.requests_for(f"/{word}")[0].body == b"hello"
    way.legal()
    way.conn.close()


# What origins say.

OK = b"HTTP/1.1 200 OK\r\n"
BAD_RESPONSES = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "garbage": bytes(range(256)) * 4,
    "status line of one word": b"HTTP/1.1\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status with letters": b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "both lengths": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two different lengths": OK + b"Content-Length: 5\r\nContent-Length: 2\r\n\r\nhello",
    "length not a number": OK + b"Content-Length: five\r\n\r\nhello",
    "length negative": OK + b"Content-Length: -1\r\n\r\n",
    "length beyond 64 bits": OK + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "unknown transfer coding": OK + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded field": OK + b"X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "LF only": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "NUL in a value": OK + b"X-A: b\x00c\r\nContent-Length: 0\r\n\r\n",
    "CR in a value": OK + b"X-A: b\rX-B: c\r\nContent-Length: 0\r\n\r\n",
    "name with blank": OK + b"X A: b\r\nContent-Length: 0\r\n\r\n",
    "head of 100 kB": OK + b"X-A: " + b"b" * 100_000 + b"\r\n\r\n",
    "a thousand fields": OK + b"X-A: b\r\n" * 1000 + b"\r\n",
    "nothing": b"",
    "half a head": OK + b"Content-Le",
    "101 that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw",
}


@pytest.mark.parametrize("via", ["plain", "tunnel"])
@pytest.mark.parametrize("name", BAD_RESPONSES)
def test_bad_response_becomes_502(leashes, world, name, via):
    leash = leashes("enforce")
    way = Way(leash, world, via)
    word, since = marker(), leash.log.mark()
    way.origin.on(f"/{word}", raw(BAD_RESPONSES[name]))
    answer = way.conn.get(way.target(f"/{word}"), way.host)
    assert answer.status == 502, answer
    assert answer.get("content-type") == "text/plain" and answer.body.startswith(b"leash: ")
    line = leash.log.wait_for(since, event="error", method="GET", url=lambda url: url and word in url)
    assert line["host"] == "allow.test" and line["reason"] and not line["reason"].startswith("internal")
    way.conn.close()


BROKEN_BODIES = {
    "shorter than its length": OK + b"Content-Length: 10\r\n\r\nhello",
    "chunked without its end": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "bad chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n",
    "chunk ended by LF": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
    "trailer with blank in name": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX A: b\r\n\r\n",
}


@pytest.mark.parametrize("via", ["plain", "tunnel"])
@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_broken_response_body_is_no_whole_answer(leashes, world, name, via):
    """The head may be out already; then the client must be able to tell that the body is not whole."""
    leash = leashes("enforce")
    way = Way(leash, world, via)
    word, since = marker(), leash.log.mark()
    way.origin.on(f"/{word}", raw(BROKEN_BODIES[name]))
    try:
        assert way.conn.get(way.target(f"/{word}"), way.host).status == 502
    except Closed:
        pass
    leash.log.wait_for(since, event="error", url=lambda url: url and word in url)
    way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_second_response_to_one_request_reaches_nobody(leashes, world, via):
    """44: bytes after a complete response end that origin connection."""
    leash = leashes("enforce")
    word = marker()
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    way = Way(leash, world, via)
    way.origin.on(f"/{word}", raw(OK + b"Content-Length: 2\r\n\r\nok" + extra, close=False))
    answer = way.conn.get(way.target(f"/{word}"), way.host)
    if answer.status == 200:  # refusing the whole is as good
        assert answer.body == b"ok"
    way.conn.close()
    for _ in range(5):
        way = Way(leash, world, via)
        way.legal()
        way.conn.close()


def test_response_before_the_request_reaches_nobody(leashes, world, make_origin):
    """An origin that talks first on an idle, pooled connection: what it says answers no request."""
    leash = leashes("enforce")
    way = Way(leash, world, "plain")
    word, has_talked = marker(), threading.Event()

    def script(exchange):
        reply()(exchange)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        has_talked.set()
    way.origin.on(f"/{word}", script)
    assert way.conn.get(way.target(f"/{word}"), way.host).body == b"ok"
    assert has_talked.wait(DEADLINE)  # until then the connection is as good as any
    for _ in range(5):
        way.legal()
    way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_body_on_get_and_no_body_where_none_belongs(leashes, world, via):
    """43: framing holds on a kept-alive connection whatever the method and status."""
    way = Way(leashes("enforce"), world, via)
    origin = way.origin
    word = marker()
    assert way.conn.get(way.target(f"/{word}"), way.host, body=b"hello").status == 200
    assert origin.requests_for(f"/{word}")[0].body == b"hello"
    origin.on("/head", raw(OK + b"Content-Length: 1000\r\n\r\n", close=False))
    answer = way.conn.get(way.target("/head"), way.host, method="HEAD")
    assert answer.status == 200 and answer.get("content-length") == "1000"
    for status in (204, 304):
        origin.on(f"/{status}", raw(b"HTTP/1.1 %d X\r\nETag: \"a\"\r\n\r\n" % status, close=False))
        assert way.conn.get(way.target(f"/{status}"), way.host).status == status
        way.legal()
    way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_refused_request_with_a_body_does_not_become_a_request(leashes, world, via):
    """A 403 in front of a body that looks like a request: the body is a body."""
    leash = leashes("enforce")
    conn = leash.connect()
    inner = f"GET http://{world.plain_authority}/smuggled HTTP/1.1\r\nHost: {world.plain_authority}\r\n\r\n"
    conn.send(f"POST http://{world.denied_plain_authority}/ HTTP/1.1\r\nHost: {world.denied_plain_authority}\r\n"
              f"Content-Length: {len(inner)}\r\n\r\n{inner}")
    assert conn.response("POST").status == 403
    conn.send(f"GET http://{world.plain_authority}/after HTTP/1.1\r\nHost: {world.plain_authority}\r\n\r\n")
    try:
        assert conn.response().status == 200
    except Closed:
        pass  # closing is as good
    assert not world.plain.requests_for("/smuggled")
    assert world.saw_nothing_denied()
    conn.close()
