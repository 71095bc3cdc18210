"""Nobody can hold leash up, fill it up, or starve the others (docs/THREATS.md, exhaustion)."""

import socket
import ssl
import threading

import pytest
from hyperframe.frame import PingFrame, SettingsFrame

from support.h2 import H2Client, RawH2
from support.http import Closed
from support.origin import message
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
    """Every time limit is short, but not so short that a loaded machine runs into one that is not meant."""
    return module_leash(mode="enforce", settings=limits(
        head_time="2s", client_handshake_time="2s", connect_time="2s", origin_handshake_time="2s",
        exchange_idle_time="2500ms", client_idle_time="3s"), **world.options())


def dribble(conn, data):
    """Sends a byte now and then, well within any limit between two bytes, until there is an answer. In one thread: a TLS
    object is not for two."""
    for byte in data:
        conn.send(bytes([byte]))
        conn.sock.settimeout(0.02)
        try:
            conn.reader.fill()
            return
        except TimeoutError:
            pass
        finally:
            conn.sock.settimeout(DEADLINE)


@pytest.mark.parametrize("via", ["plain", "tunnel"])
@pytest.mark.parametrize("kind", ["stops", "dribbles"])
def test_slow_head(hasty, world, via, kind):
    """71: the deadline is for the whole head, not for each read."""
    since = hasty.log.mark()
    way = Way(hasty, world, via)
    head = f"GET {way.target('/slow')} HTTP/1.1\r\nHost: {way.host}\r\nX-A: "
    if kind == "stops":
        way.conn.send(head)
    else:
        dribble(way.conn, (head + "x" * 5000).encode())
    answer = way.conn.response()
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
    with hasty.connect() as conn:
        conn.connect(world.tls_authority)
        dribble(conn, b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + bytes(5000))
        conn.read_to_end()


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


def test_a_slow_but_living_exchange_goes_on(make_leash, world):
    """Idle means no bytes either way: an event now and then keeps it alive for longer than the limit."""
    leash = make_leash(mode="enforce", settings=limits(exchange_idle_time="3s"), **world.options())
    way = Way(leash, world, "tunnel")

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(24):
            exchange.send(b"6\r\ndata\n\n\r\n")
            threading.Event().wait(0.3)
        exchange.send(b"0\r\n\r\n")
    way.origin.on("/alive", script)
    answer = way.conn.get("/alive", way.host)
    assert answer.body == b"data\n\n" * 24
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


# Counting


def grown(leash, since):
    """The samples that have changed, and by how much; what the writer of the log does aside, and what depends on those who
    were served before: which leaf had to be made, which connection to an origin was left over and quiet."""
    now = leash.metrics()
    assert now.keys() == since.keys()
    return {name: now[name] - since[name] for name in now
            if now[name] != since[name] and not name.startswith(("leash_audit_", "leash_origin_", "leash_leaf_cache_", "leash_leaves_"))
            and "_duration_seconds" not in name}


def wait_for_growth(leash, since, wanted):
    """Until just these samples have grown, each by just so much."""
    wait_until(lambda: grown(leash, since) == wanted, lambda: f"{grown(leash, since)}, not {wanted}")


def outcome(event):
    return f'leash_outcomes_total{{event="{event}"}}'


def limit(name):
    return f'leash_limits_total{{limit="{name}"}}'


def test_what_passes_and_what_is_refused_is_counted(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    since = leash.metrics()
    with leash.connect() as conn:
        assert conn.get(f"http://{world.plain_authority}/", world.plain_authority, method="POST", body=b"12345").body == b"ok"
        assert conn.get(f"http://{world.denied_plain_authority}/", world.denied_plain_authority).status == 403
        assert conn.connect(world.denied_tls_authority).status == 403
    wait_for_growth(leash, since, {
        "leash_connections_total": 1, "leash_requests_total": 2, outcome("allowed"): 1, outcome("blocked"): 2,
        'leash_bytes_total{direction="up"}': 5, 'leash_bytes_total{direction="down"}': 2})
    assert leash.metrics()["leash_origin_connections_total"] == 1


def test_tunnels_are_counted(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    since = leash.metrics()
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        for _ in range(3):
            assert conn.get("/", world.tls_authority).body == b"ok"
        passed = {"leash_connections_total": 1, "leash_requests_total": 3, outcome("allowed"): 3,
                  'leash_bytes_total{direction="down"}': 6, "leash_client_handshakes_total": 1}
        wait_for_growth(leash, since, dict(passed, leash_connections_open=1, leash_tunnels_open=1))
        now = leash.metrics()
        assert now['leash_leaves_total{result="minted"}'] == 1
        assert now["leash_origin_connections_total"] >= 1 and now["leash_origin_reused_total"] >= 1
        assert now["leash_origin_connections_total"] + now["leash_origin_reused_total"] == 3
    wait_for_growth(leash, since, passed)


def test_durations_caches_and_queues_are_exposed(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        for _ in range(3):
            assert conn.get("/", world.tls_authority).body == b"ok"
        # The tunnel's intent as well.
        counts = {"leash_allowed_duration_seconds": 3, "leash_intent_duration_seconds": 4}
        wanted = {"leash_leaf_cache_entries": 1, "leash_audit_queue_bytes": 0, **{f"{name}_count": count for name, count in counts.items()}}
        now = wait_until(lambda: (found := leash.metrics()) and all(found[name] == count for name, count in wanted.items()) and found,
                         lambda: f"{wanted}; there is {leash.metrics()}")
        assert now["leash_origin_connections_open"] >= 1
    for name, count in counts.items():
        bounds = [sample for sample in now if sample.startswith(f"{name}_bucket")]
        below = [now[sample] for sample in bounds]
        assert bounds[-1] == f'{name}_bucket{{le="+Inf"}}' and below[-1] == count and below == sorted(below)
        assert 0 < now[f"{name}_sum"] < 60


def bite_head(leash, world):
    with leash.connect() as conn:
        assert conn.get(f"http://{world.plain_authority}/", world.plain_authority, headers=[("X-A", "a" * 70_000)]).status == 431
    return {limit("head"): 1, outcome("error"): 1}


def bite_head_time(leash, world):
    with leash.connect() as conn:
        conn.send("GET http://allow.test/ HTTP/1.1\r\n")
        assert conn.response().status == 408
    return {limit("head_time"): 1, outcome("error"): 1}


def bite_handshake_time(leash, world):
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        conn.send(b"\x16\x03\x01\x02\x00\x01")
        conn.read_to_end()
    return {limit("client_handshake_time"): 1, outcome("error"): 1, "leash_client_handshakes_total": 1}


def bite_idle_time(leash, world):
    gate = threading.Event()
    world.plain.on("/counted", lambda exchange: gate.wait(DEADLINE))
    with leash.connect() as conn:
        assert conn.get(f"http://{world.plain_authority}/counted", world.plain_authority).status == 504
    gate.set()
    return {limit("exchange_idle_time"): 1, outcome("error"): 1, "leash_requests_total": 1}


def bite_http2(leash, world):
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
    h2 = RawH2(conn)
    ping = PingFrame(0)
    ping.opaque_data = b"12345678"
    h2.send(SettingsFrame(), ping.serialize() * 50_000)
    for _ in h2.frames():
        pass
    conn.close()
    return {limit("http2"): 1, outcome("error"): 1, "leash_client_handshakes_total": 1}


@pytest.mark.parametrize("bite", [bite_head, bite_head_time, bite_handshake_time, bite_idle_time, bite_http2], ids=lambda bite: bite.__name__)
def test_a_limit_that_bites_is_counted(hasty, world, bite):
    """Under its own name, once."""
    since = hasty.metrics()
    wanted = bite(hasty, world)
    wait_for_growth(hasty, since, dict(wanted, leash_connections_total=1))


@pytest.mark.parametrize("setting", ["connections", "connections_per_client"])
def test_connections_turned_away_are_counted(make_leash, world, setting):
    leash = make_leash(mode="enforce", settings=limits(**{setting: 2}), args=["--workers", "1"], **world.options())
    target = f"http://{world.plain_authority}/"
    kept = [leash.connect() for _ in range(2)]
    for conn in kept:
        assert conn.get(target, world.plain_authority).status == 200
    since = leash.metrics()
    for _ in range(3):
        with leash.connect() as conn:
            assert conn.get(target, world.plain_authority).status == 503
    grew = grown(leash, since)
    assert grew[limit(setting)] == 3 and grew[outcome("error")] == 3
    assert {name for name in grew if name.startswith("leash_limits_total")} == {limit(setting)}
    for conn in kept:
        conn.close()


# Memory


def test_answers_that_nobody_takes_hold_back_the_next_request(make_leash, world):
    """Pipelined requests, each refused with a few bytes: without a bound the answers pile up."""
    leash = make_leash(mode="enforce", **world.options())
    request = f"GET http://{world.denied_plain_authority}/ HTTP/1.1\r\nHost: {world.denied_plain_authority}\r\n\r\n"
    before = leash.rss_mib
    count = 100 if IS_SANITIZED else 300  # thousands
    sent = 0
    with leash.connect() as conn:
        conn.sock.settimeout(1)
        pending = memoryview(request.encode() * 1000 * count)
        try:
            while pending:
                size = conn.sock.send(pending[:1 << 20])
                pending = pending[size:]
                sent += size
        except TimeoutError:
            pass
        assert pending, "leash took everything and answered it to nobody"
        assert leash.rss_mib - before < (128 if IS_SANITIZED else 32)
        # Who begins to read gets the answers in full, and is served on.
        conn.sock.settimeout(DEADLINE)
        rest = threading.Thread(target=conn.sock.sendall, args=(request.encode()[sent % len(request):],), daemon=True)
        rest.start()
        for _ in range(sent // len(request) + 1):
            assert conn.response().status == 403
        rest.join(DEADLINE)


def test_what_one_client_makes_leash_hold_is_bounded(make_leash, world):
    """Many streams that nobody reads, over many connections: one budget for them all, and nobody else's loss."""
    leash = make_leash(mode="enforce", settings=limits(client_memory_mb=8), **world.options())
    body = b"x" * (1 << 20)
    world.tls.on("/much", lambda exchange: exchange.send(message(body=body)))
    before = leash.rss_mib
    clients = []
    for _ in range(5 if IS_SANITIZED else 8):
        conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=("h2",))
        clients.append(H2Client(conn, window=0))
        for _ in range(60):
            clients[-1].request(world.tls_authority, "/much")
    reasons = lambda: [line["reason"] for line in leash.log.lines(event="error") if "client_memory" in line["reason"]]
    wait_until(reasons)
    assert leash.peak_mib - before < (400 if IS_SANITIZED else 40)
    with leash.tunnel(world.ALLOWED, world.tls.port, source="127.0.0.9") as conn:
        assert conn.get("/much", world.tls_authority).body == body
    assert leash.metrics()['leash_limits_total{limit="client_memory"}'] > 0
    for client in clients:
        client.conn.close()

    def is_served_again():
        with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
            return conn.get("/much", world.tls_authority).status == 200
    wait_until(is_served_again)
    leash.stop()
    leash.log.check_chain()


def test_heads_that_grow_in_the_log_count_as_what_they_are_there(make_leash, world):
    """A byte above 127 is six in a JSON line, which a request has ready while it waits for its origin."""
    leash = make_leash(mode="enforce", settings=limits(client_memory_mb=16), **world.options())
    gate, word = threading.Event(), marker()
    world.plain.on(f"/{word}", lambda exchange: (gate.wait(DEADLINE), exchange.send(message(body=b"ok"))))
    head = f"GET http://{world.plain_authority}/{word} HTTP/1.1\r\nHost: {world.plain_authority}\r\nX-Large: ".encode()
    clients = []
    for _ in range(200):
        clients.append(leash.connect())
        clients[-1].send(head + b"\xff" * 60_000 + b"\r\n\r\n")
    # Each of them is with the origin, or refused.
    wait_until(lambda: len(world.plain.requests_for(f"/{word}")) + len(leash.log.lines(event="error")) >= 200)
    assert 0 < len(world.plain.requests_for(f"/{word}")) < 60  # of 420 000 bytes each
    assert {line["reason"].split(":")[0] for line in leash.log.lines(event="error")} == {"client_memory"}
    gate.set()
    for client in clients:
        client.close()
