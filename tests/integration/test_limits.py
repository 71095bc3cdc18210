"""Nobody can hold leash up, fill it up, or starve the others (docs/THREATS.md, exhaustion)."""

import socket
import ssl
import threading
import time

import pytest

from support.http import Closed
from support.wait import DEADLINE, IS_SANITIZED, wait_until
from support.world import Way, marker


def limits(**values):
    """leash.yaml with these limits."""
    return {"limits": values}


def is_error_of(leash, since, **wanted):
    return leash.log.wait_for(since, event="error", **wanted)


# Time


@pytest.fixture(scope="module")
def hasty(module_leash, world):
    """Every time limit is short."""
    return module_leash(mode="enforce", settings=limits(
        head_time="400ms", client_handshake_time="400ms", connect_time="400ms", origin_handshake_time="400ms",
        exchange_idle_time="600ms", client_idle_time="800ms"), **world.options())


def dribble(conn, data, stop):
    """Sends a byte now and then, well within any limit between two bytes."""
    for byte in data:
        if stop.wait(0.02):
            return
        conn.send(bytes([byte]))


@pytest.mark.parametrize("via", ["plain", "tunnel"])
@pytest.mark.parametrize("kind", ["stops", "dribbles"])
def test_slow_head(hasty, world, via, kind):
    """71: the deadline is for the whole head, not for each read."""
    since, stop = hasty.log.mark(), threading.Event()
    way = Way(hasty, world, via)
    head = f"GET {way.target('/slow')} HTTP/1.1\r\nHost: {way.host}\r\nX-A: "
    if kind == "stops":
        way.conn.send(head)
    else:
        way.conn.send(head[:5])
        threading.Thread(target=dribble, args=(way.conn, (head[5:] + "x" * 5000).encode(), stop), daemon=True).start()
    answer = way.conn.response()
    stop.set()
    assert answer.status == 408 and answer.body.startswith(b"leash: ")
    assert way.conn.is_at_end()
    way.conn.close()
    is_error_of(hasty, since)
    assert not way.origin.saw("/slow")


def test_slow_connect_head(hasty):
    since = hasty.log.mark()
    with hasty.connect() as conn:
        conn.send("CONNECT allow.test:443 HTTP/1.1\r\nHost: allow.te")
        assert conn.response("CONNECT").status == 408
        assert conn.is_at_end()
    is_error_of(hasty, since)


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"GE"], ids=["nothing", "1 byte", "record head", "half a method"])
def test_silence_after_connect(hasty, world, said):
    """16, 71"""
    since = hasty.log.mark()
    with hasty.connect() as conn:
        conn.connect(world.tls_authority)
        if said:
            conn.send(said)
        conn.read_to_end()
    hasty.log.wait_for(since, event=lambda event: event in ("error", "tunnel_closed"), host=world.ALLOWED)


def test_dribbling_handshake(hasty, world):
    stop = threading.Event()
    with hasty.connect() as conn:
        conn.connect(world.tls_authority)
        threading.Thread(target=dribble, args=(conn, b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + bytes(5000), stop), daemon=True).start()
        conn.read_to_end()
        stop.set()


def test_idle_connections_are_closed(hasty, world):
    with hasty.connect() as conn:
        assert conn.is_at_end()  # not one byte came
    for via in ("plain", "tunnel"):
        way = Way(hasty, world, via)
        way.legal()
        assert way.conn.is_at_end()
        way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_origin_that_never_answers(hasty, world, via):
    way, gate, since = Way(hasty, world, via), threading.Event(), hasty.log.mark()
    way.origin.on("/silent", lambda exchange: gate.wait(DEADLINE))
    answer = way.conn.get(way.target("/silent"), way.host)
    assert answer.status == 504
    gate.set()
    way.conn.close()
    is_error_of(hasty, since, url=lambda url: url and "/silent" in url)


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_origin_that_stops_in_its_body(hasty, world, via):
    way, gate, since = Way(hasty, world, via), threading.Event(), hasty.log.mark()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        gate.wait(DEADLINE)
        exchange.close()
    way.origin.on("/stops", script)
    with pytest.raises(Closed):
        way.conn.get(way.target("/stops"), way.host)
    gate.set()
    way.conn.close()
    is_error_of(hasty, since, url=lambda url: url and "/stops" in url)


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_client_that_stops_in_its_body(hasty, world, via):
    way, since, word = Way(hasty, world, via), hasty.log.mark(), marker()
    way.conn.send(f"POST {way.target('/' + word)} HTTP/1.1\r\nHost: {way.host}\r\nContent-Length: 100\r\n\r\nsome")
    try:
        assert way.conn.response().status in (408, 504)
    except Closed:
        pass
    way.conn.close()
    is_error_of(hasty, since, url=lambda url: url and word in url)


def test_a_slow_but_living_exchange_goes_on(hasty, world):
    """Idle means no bytes either way: an event now and then keeps it alive for longer than the limit."""
    way = Way(hasty, world, "tunnel")

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            exchange.send(b"6\r\ndata\n\n\r\n")
            threading.Event().wait(0.1)
        exchange.send(b"0\r\n\r\n")
    way.origin.on("/alive", script)
    answer = way.conn.get("/alive", way.host)
    assert answer.body.startswith(b"data\n\ndata\n\n")
    way.conn.close()


def test_origin_that_accepts_no_connection(hasty, world):
    """A full accept queue drops what comes: connect runs into its time limit."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(address)
        fillers.append(filler)
    hasty.set_allow(world.allow + [{"host": "other.test", "ports": [address[1]]}])
    since = hasty.log.mark()
    with hasty.connect() as conn:
        authority = f"other.test:{address[1]}"
        assert conn.get(f"http://{authority}/", authority).status == 504
        is_error_of(hasty, since, method="GET")
        assert conn.connect(authority).status == 504
    for filler in fillers:
        filler.close()
    listener.close()


def test_origin_that_never_shakes_hands(hasty, world):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    hasty.set_allow(world.allow + [{"host": "other.test", "ports": [port]}])
    since = hasty.log.mark()
    with hasty.tunnel("other.test", port) as conn:
        assert conn.get("/", f"other.test:{port}").status == 504
    is_error_of(hasty, since, host="other.test", method="GET")
    listener.close()


# Size


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_heads_up_to_the_limit_pass(make_leash, world, via):
    leash = make_leash(mode="enforce", **world.options())
    way = Way(leash, world, via)
    word = marker()
    answer = way.conn.get(way.target(f"/{word}"), way.host, headers=[("X-Large", "a" * 60_000)])
    assert answer.status == 200 and len(way.origin.requests_for(f"/{word}")[0].get("x-large")) == 60_000
    way.conn.get(way.target(f"/{word}n"), way.host, headers=[(f"X-{number}", "a") for number in range(120)])
    assert len(way.origin.requests_for(f"/{word}n")[0].headers) >= 121
    way.conn.close()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
@pytest.mark.parametrize("fields", [[("X-Large", "a" * 70_000)], [(f"X-{number}", "a") for number in range(200)]], ids=["bytes", "fields"])
def test_heads_beyond_the_limit(make_leash, world, via, fields):
    """72"""
    leash = make_leash(mode="enforce", **world.options())
    way, word, since = Way(leash, world, via), marker(), leash.log.mark()
    answer = way.conn.get(way.target(f"/{word}"), way.host, headers=fields)
    assert answer.status == 431
    assert way.conn.is_at_end()
    way.conn.close()
    is_error_of(leash, since)
    assert not way.origin.saw(word)


def test_endless_head_costs_nothing(make_leash, world):
    """10 MB of one field on each of 20 connections: refused at the limit, memory flat."""
    leash = make_leash(mode="enforce", **world.options())
    for _ in range(20):
        with leash.connect() as conn:
            conn.send(f"GET http://{world.plain_authority}/ HTTP/1.1\r\nHost: {world.plain_authority}\r\nX-A: ")
            for _ in range(160):
                if conn.was_reset:
                    break
                conn.send(b"a" * 65536)
    assert leash.peak_mib < (1024 if IS_SANITIZED else 64)


def test_limits_can_be_set(make_leash, world):
    leash = make_leash(mode="enforce", settings=limits(head_kb=4, head_fields=10), **world.options())
    with leash.connect() as conn:
        target = f"http://{world.plain_authority}/"
        assert conn.get(target, world.plain_authority, headers=[("X-A", "a" * 3000)]).status == 200
        assert conn.get(target, world.plain_authority, headers=[("X-A", "a" * 5000)]).status == 431
    with leash.connect() as conn:
        assert conn.get(target, world.plain_authority, headers=[(f"X-{n}", "a") for n in range(15)]).status == 431


# Number


def test_connections_of_one_client(make_leash, world):
    """73: the one too many gets 503; other clients are unaffected; there is room again when one leaves."""
    leash = make_leash(mode="enforce", settings=limits(connections_per_client=5), **world.options())
    target = f"http://{world.plain_authority}/"
    conns = [leash.connect() for _ in range(5)]
    for conn in conns:
        assert conn.get(target, world.plain_authority).status == 200
    since = leash.log.mark()
    with leash.connect() as conn:
        answer = conn.get(target, world.plain_authority)
        assert answer.status == 503 and answer.body.startswith(b"leash: ")
    is_error_of(leash, since, reason=lambda reason: reason and reason.startswith("too_many_connections"))
    with leash.connect("127.0.0.5") as conn:
        assert conn.get(target, world.plain_authority).status == 200
    conns.pop().close()

    def is_free():
        with leash.connect() as conn:
            return conn.get(target, world.plain_authority).status == 200
    wait_until(is_free)
    for conn in conns:
        conn.close()


def test_connections_in_all(make_leash, world):
    leash = make_leash(mode="enforce", settings=limits(connections=6), args=["--workers", "1"], **world.options())
    target = f"http://{world.plain_authority}/"
    conns = [leash.connect(f"127.0.0.{number + 10}") for number in range(6)]
    for conn in conns:
        assert conn.get(target, world.plain_authority).status == 200
    with leash.connect("127.0.0.99") as conn:
        assert conn.get(target, world.plain_authority).status == 503
    for conn in conns:
        conn.close()


def test_out_of_file_descriptors(make_leash, world):
    """73: it goes on with what it has, the log keeps going, and it recovers."""
    leash = make_leash(mode="enforce", nofile=96, args=["--workers", "1"], **world.options())
    target = f"http://{world.plain_authority}/"
    seen_before = len(world.plain.requests)
    first = leash.connect()
    assert first.get(target, world.plain_authority).status == 200
    conns = []
    for number in range(150):
        conns.append(leash.connect())
        conns[-1].send(f"GET {target}{number} HTTP/1.1\r\nHost: {world.plain_authority}\r\n\r\n")
    # who has been served before is served on, or told why not
    assert first.get(target, world.plain_authority).status in (200, 502, 503)
    for conn in conns:
        conn.close()
    first.close()

    def recovers():
        try:
            with leash.connect() as conn:
                return conn.get(target, world.plain_authority).status == 200
        except Closed:
            return False
    wait_until(recovers)
    assert leash.is_running()
    urls = {line["url"] for line in leash.log.lines(event="request")}
    for request in world.plain.requests:
        if request.target[1:].isdigit():
            assert f"http://{world.plain_authority}{request.target}" in urls


def test_flood_of_handshakes_leaves_memory_flat(make_leash, world):
    """62: names that no policy allowed mint nothing."""
    leash = make_leash(mode="enforce", **world.options())
    with leash.tunnel(world.ALLOWED, world.tls.port):
        pass
    before = leash.rss_mib
    context = leash.context(checks_name=False)
    for number in range(400):
        with leash.connect() as conn:
            conn.connect(world.tls_authority)
            with pytest.raises((ssl.SSLError, OSError)):
                conn.start_tls(context, f"random{number}.test")
    assert leash.rss_mib - before < (400 if IS_SANITIZED else 16)


def test_one_client_does_not_starve_another(make_leash, world):
    """77: while one floods, another's requests are answered."""
    leash = make_leash(mode="enforce", **world.options())
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            try:
                with leash.connect("127.0.0.66") as conn:
                    conn.connect(world.denied_tls_authority)
            except OSError:
                pass
    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with leash.connect() as conn:
            for _ in range(50):
                assert conn.get(f"http://{world.plain_authority}/", world.plain_authority).status == 200
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_what_is_refused_is_counted(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    with leash.connect() as conn:
        conn.get(f"http://{world.plain_authority}/", world.plain_authority)
        conn.connect(world.denied_tls_authority)
    status, text = leash.admin_get("/metrics")
    assert status == 200
    assert any(line and not line.startswith("#") and float(line.rsplit(" ", 1)[1]) > 0 for line in text.splitlines())
