"""What an agent, an origin or the moment can do to leash: each of these held once, and holds no more."""

import os
import socket
import ssl
import struct
import threading

import pytest

from support.client import client_context
from support.h2 import H2Client
from support.origin import Origin, message, server_context
from support.wait import DEADLINE, IS_SANITIZED, wait_until
from support.world import marker


def limits(**values):
    return {"limits": values}


def descriptors(leash):
    return len(os.listdir(f"/proc/{leash.pid}/fd"))


# What one connection reads never shows up in another


def test_what_an_idle_origin_says_is_no_part_of_the_request(make_leash, make_origin):
    """A pooled connection is looked at while the request that wants it is being read: each has its bytes to itself."""
    origin = make_origin()
    leash = make_leash(mode="enforce", hosts={"a.test": "127.0.0.1"}, allow=[{"host": "a.test", "ports": [origin.port]}],
                       args=["--workers", "1"])
    authority, body = f"a.test:{origin.port}", b"B" * 300
    late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" + b"#" * 400
    busy = threading.Event()

    def keep_busy():
        while not busy.is_set():
            with leash.connect() as other:
                other.connect("denied.test:443")
    others = [threading.Thread(target=keep_busy, daemon=True) for _ in range(3)]
    for other in others:
        other.start()
    for _ in range(60 if IS_SANITIZED else 150):
        with leash.connect() as conn:
            assert conn.get(f"http://{authority}/", authority).status == 200
            peer = origin.peers[-1]
            head = f"POST http://{authority}/post HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {len(body)}\r\n\r\n"
            conn.send(head.encode() + body)
            try:
                peer.sock.sendall(late)
            except OSError:
                pass  # it has been given up already
            assert conn.response("POST").status in (200, 408, 502)
    busy.set()
    for other in others:
        other.join(DEADLINE)
    whole = [request for request in origin.requests if request.method == "POST" and request.is_whole]
    assert whole and all(request.body == body for request in whole)


# A right that is lost while it is being used: what counts is what is on disk when the name's address is known, whether
# or not leash has been told of the change by then.


def hold_look_up(dns, name):
    """(asked, go): the answer for this name, which is loopback, waits for the second once the first is set."""
    asked, go = threading.Event(), threading.Event()

    def slow(_):
        asked.set()
        go.wait(DEADLINE)
        return ["127.0.0.1"]
    dns.records[name] = slow
    return asked, go


def test_right_lost_in_place_while_the_name_is_looked_up(make_leash, make_origin, dns):
    """A file rewritten in place may be half written, so the request waits until it has settled, and goes by that."""
    origin, (asked, go) = make_origin(), hold_look_up(dns, "slow-place.test")
    leash = make_leash(mode="enforce", allow=[{"host": "slow-place.test", "ports": [origin.port]}])
    authority = f"slow-place.test:{origin.port}"
    with leash.connect() as conn:
        conn.send(f"GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n\r\n")
        assert asked.wait(DEADLINE)
        (leash.policy / "enforce.yaml").write_text("allow:\n  - host: else.test\n")
        go.set()
        assert conn.response().status == 403
    assert origin.connections == 0


def test_right_lost_while_the_name_is_looked_up(make_leash, make_origin, pki, dns):
    """A CONNECT, spliced: what was allowed when it came is not when it is answered."""
    origin, (asked, go) = make_origin(pki.issue("slow-splice.test")), hold_look_up(dns, "slow-splice.test")
    entry = {"host": "slow-splice.test", "ports": [origin.port], "tls": "splice"}
    leash = make_leash(mode="enforce", allow=[entry])
    with leash.connect() as conn:
        conn.send(f"CONNECT slow-splice.test:{origin.port} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert asked.wait(DEADLINE)
        leash.set_allow([{"host": "else.test"}])
        go.set()
        assert conn.response("CONNECT").status == 403
    line = leash.log.wait_for(event="blocked", host="slow-splice.test", reason="not_in_allowlist")
    assert line["detail"] == "policy_change"
    assert origin.connections == 0


def test_networks_lost_while_the_name_is_looked_up(make_leash, make_origin, dns):
    origin, (asked, go) = make_origin(), hold_look_up(dns, "slow-net.test")
    leash = make_leash(mode="enforce", networks=(),
                       allow=[{"host": "slow-net.test", "ports": [origin.port], "networks": ["127.0.0.0/8"]}])
    authority = f"slow-net.test:{origin.port}"
    with leash.connect() as conn:
        conn.send(f"GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n\r\n")
        assert asked.wait(DEADLINE)
        leash.set_allow([{"host": "slow-net.test", "ports": [origin.port]}])
        go.set()
        assert conn.response().status == 403
    assert origin.connections == 0


def test_networks_lost_during_the_handshake_with_the_origin(make_leash, pki):
    context, go, got = server_context(pki.issue("slow-tls.test")), threading.Event(), []
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve():
        peer, _ = listener.accept()
        go.wait(DEADLINE)
        try:
            with context.wrap_socket(peer, server_side=True) as tls:
                got.append(tls.recv(65536))
        except OSError:
            got.append(b"")
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    entry = {"host": "slow-tls.test", "ports": [port]}
    leash = make_leash(mode="enforce", networks=(), hosts={"slow-tls.test": "127.0.0.1"},
                       allow=[entry | {"networks": ["127.0.0.0/8"]}])
    with leash.tunnel("slow-tls.test", port) as conn:
        conn.send(f"POST /x HTTP/1.1\r\nHost: slow-tls.test:{port}\r\nContent-Length: 4\r\n\r\nDATA")
        leash.log.wait_for(event="request")
        leash.set_allow([entry])
        leash.log.wait_for(event="blocked", reason="address_not_allowed")
        go.set()
    leash.stop()
    thread.join(DEADLINE)
    assert b"".join(got) == b""
    listener.close()


def test_networks_lost_between_connect_and_hello(make_leash, make_origin, pki):
    origin = make_origin(pki.issue("splice-net.test"))
    entry = {"host": "splice-net.test", "ports": [origin.port], "tls": "splice"}
    leash = make_leash(mode="enforce", networks=(), hosts={"splice-net.test": "127.0.0.1"},
                       allow=[entry | {"networks": ["127.0.0.0/8"]}])
    with leash.connect() as conn:
        assert conn.connect(f"splice-net.test:{origin.port}").status == 200
        leash.set_allow([entry])
        leash.log.wait_for(event="blocked", reason="address_not_allowed", host="splice-net.test")
        assert conn.is_at_end()
    assert origin.connections == 0


def test_one_of_two_that_wait_for_a_dial_loses_its_right(make_leash, make_origin, pki):
    """The connection that both wait for is HTTP/1.1's: the one that may still have it gets it, or another."""
    context, shaking, go = server_context(pki.issue("both.test")), threading.Event(), threading.Event()

    def slow(*_):
        shaking.set()
        go.wait(DEADLINE)
    context.sni_callback = slow
    origin = make_origin(context=context)

    def entry(*paths):
        return [{"host": "both.test", "ports": [origin.port], "paths": [{"method": "GET", "prefix": path} for path in paths]}]
    leash = make_leash(mode="enforce", hosts={"both.test": "127.0.0.1"}, allow=entry("/a", "/b"))
    authority = f"both.test:{origin.port}"
    conn = leash.tunnel("both.test", origin.port, alpn=("h2",))
    client = H2Client(conn)
    first, second = client.request(authority, "/a"), client.request(authority, "/b")
    leash.log.wait_for(count=2, event="request")
    assert shaking.wait(DEADLINE)
    leash.set_allow(entry("/b"))
    go.set()
    client.wait(lambda: client.responses[first].is_ended and client.responses[second].is_ended)
    assert (client.responses[first].status, client.responses[second].status) == (403, 200)
    assert leash.log.wait_for(event="blocked")["detail"] == "policy_change"
    assert not origin.requests_for("/a") and len(origin.requests_for("/b")) == 1
    conn.close()


def test_right_lost_just_before_the_hello(make_leash, make_origin, pki):
    """As above, and faster than leash can be told of it."""
    origin = make_origin(pki.issue("splice-right.test"))
    leash = make_leash(mode="enforce", hosts={"splice-right.test": "127.0.0.1"},
                       allow=[{"host": "splice-right.test", "ports": [origin.port], "tls": "splice"}])
    with leash.connect() as conn:
        assert conn.connect(f"splice-right.test:{origin.port}").status == 200
        leash.set_allow([{"host": "else.test"}])
        with pytest.raises((ssl.SSLError, OSError)):
            conn.start_tls(client_context(pki.ca_file), "splice-right.test")
    leash.log.wait_for(event="blocked", reason="not_in_allowlist", host="splice-right.test")
    assert origin.connections == 0


# Memory, descriptors


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_interim_responses_without_end(make_leash, world, alpn):
    """They have no flow control of their own, and somebody has to hold them."""
    stopped = threading.Event()

    def script(exchange):
        piece = (b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 8000 + b"\r\n\r\n") * 8
        try:
            for _ in range(1000):
                exchange.send(piece)
        finally:
            stopped.set()
    word = marker()
    world.tls.on(f"/{word}", script)
    leash = make_leash(mode="enforce", **world.options())
    before = leash.rss_mib
    conn = leash.tunnel(world.ALLOWED, world.tls.port, alpn=(alpn,))
    if alpn == "h2":
        H2Client(conn).request(world.tls_authority, f"/{word}")
    else:
        conn.send(f"GET /{word} HTTP/1.1\r\nHost: {world.tls_authority}\r\n\r\n")
    leash.log.wait_for(event="error", reason="head_too_large: interim responses")
    assert stopped.wait(DEADLINE)
    assert leash.peak_mib - before < (200 if IS_SANITIZED else 16)
    conn.close()


def test_a_few_interim_responses_pass(make_leash, world):
    word = marker()
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    world.tls.on(f"/{word}", lambda exchange: exchange.send(hint * 20 + message(body=b"ok")))
    leash = make_leash(mode="enforce", **world.options())
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        conn.send(f"GET /{word} HTTP/1.1\r\nHost: {world.tls_authority}\r\n\r\n")
        assert conn.reader.until(b"\r\n\r\nok").count(b"103 Early Hints") == 20


def test_bodies_that_wait_for_a_slow_origin_are_counted(make_leash):
    """The origin takes the connection and says nothing: what clients send meanwhile is in memory."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    port = listener.getsockname()[1]
    leash = make_leash(mode="enforce", hosts={"deaf.test": "127.0.0.1"}, allow=[{"host": "deaf.test", "ports": [port]}],
                       settings=limits(client_memory_mb=4))
    conns = [leash.tunnel("deaf.test", port, alpn=("h2",)) for _ in range(3)]
    for conn in conns:
        client = H2Client(conn)
        for _ in range(60):
            client.request(f"deaf.test:{port}", "/", method="POST", body=b"a" * 60_000)
    leash.log.wait_for(event="error", reason=lambda reason: reason and reason.startswith("client_memory"))
    for conn in conns:
        conn.close()
    listener.close()


def test_connections_to_origins_have_a_limit(make_leash, make_origin, dns):
    """One client, any number of names: the idle connection gives way, and nobody else is shut out."""
    origin = make_origin()
    names = [f"n{number}.wide.test" for number in range(60)]
    for name in names + ["ok.wide.test"]:
        dns.records[name] = ["127.0.0.1"]
    leash = make_leash(mode="enforce", allow=[{"host": "wide.test", "ports": [origin.port]}], args=["--workers", "1"],
                       settings=limits(origin_connections_per_client=8))
    with leash.connect() as conn:
        for name in names:
            authority = f"{name}:{origin.port}"
            assert conn.get(f"http://{authority}/", authority).status == 200
        before = descriptors(leash)
        assert before < 60
    with leash.connect("127.0.0.8") as conn:
        assert conn.get(f"http://ok.wide.test:{origin.port}/", f"ok.wide.test:{origin.port}").status == 200


def test_the_connection_that_was_idle_for_longest_gives_way(make_leash, make_origin, dns):
    origin = make_origin()
    for number in range(4):
        dns.records[f"h{number}.idle.test"] = ["127.0.0.1"]
    leash = make_leash(mode="enforce", allow=[{"host": "idle.test", "ports": [origin.port]}], args=["--workers", "1"],
                       settings=limits(origin_connections_per_client=3))
    with leash.connect() as conn:
        def connections_after(number):
            authority = f"h{number}.idle.test:{origin.port}"
            assert conn.get(f"http://{authority}/", authority).status == 200
            return origin.connections
        assert [connections_after(number) for number in (0, 1, 2, 0)] == [1, 2, 3, 3]
        assert connections_after(3) == 4  # for 1
        assert connections_after(2) == 4
        assert connections_after(1) == 5  # for 0: 2 was used since
        assert [connections_after(number) for number in (3, 2, 1, 0)] == [5, 5, 5, 6]


def test_more_at_once_than_a_client_may_have_are_refused(make_leash, make_origin, dns):
    origin, go = make_origin(), threading.Event()

    def script(exchange):
        go.wait(DEADLINE)
        exchange.send(message(body=b"ok"))
    origin.on("/wait", script)
    dns.records["wait.test"] = ["127.0.0.1"]
    leash = make_leash(mode="enforce", allow=[{"host": "wait.test", "ports": [origin.port]}], args=["--workers", "1"],
                       settings=limits(origin_connections_per_client=4))
    authority = f"wait.test:{origin.port}"
    conns = [leash.connect() for _ in range(5)]
    for conn in conns[:4]:
        conn.send(f"GET http://{authority}/wait HTTP/1.1\r\nHost: {authority}\r\n\r\n")
    origin.wait_for(lambda seen: len(seen.requests_for("/wait")) == 4)
    assert conns[4].get(f"http://{authority}/", authority).status == 503
    leash.log.wait_for(event="error", reason="too_many_connections: to origins")
    with leash.connect("127.0.0.8") as other:
        assert other.get(f"http://{authority}/", authority).status == 200
    go.set()
    for conn in conns[:4]:
        assert conn.response().status == 200
    for conn in conns:
        conn.close()
    assert leash.metrics()['leash_limits_total{limit="origin_connections"}'] == 1


def test_connections_that_linger_are_counted(make_leash):
    """A connection that has been answered and waits for its client's end still takes its place."""
    leash = make_leash(mode="enforce", settings=limits(connections_per_client=5))
    before, conns = descriptors(leash), []
    for _ in range(60):
        conns.append(leash.connect())
        conns[-1].send("X\r\n\r\n")
        conns[-1].response()
    assert descriptors(leash) - before <= 8
    for conn in conns:
        conn.close()

    def is_served():
        with leash.connect() as conn:
            conn.send("X\r\n\r\n")
            return conn.response().status == 400
    wait_until(is_served)


def test_nobody_can_blind_the_log(make_leash, make_origin):
    """Copies of bodies have a budget. One client cannot use all of it up, and a beginning is kept always."""
    origin = make_origin()
    leash = make_leash(mode="enforce", hosts={"a.test": "127.0.0.1"}, allow=[{"host": "a.test", "ports": [origin.port]}],
                       settings=limits(capture_mb=2))
    authority = f"a.test:{origin.port}"
    held = []
    for _ in range(4):
        held.append(leash.connect())
        held[-1].send(f"POST http://{authority}/hold HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 1000010\r\n\r\n".encode())
        held[-1].send(b"z" * 1_000_000)
    origin.wait_for(lambda seen: len(seen.received()) >= 4_000_000)
    for client, size in (("127.0.0.2", 108_000), ("127.0.0.1", 16_000)):
        word, since = marker(), leash.log.mark()
        with leash.connect(client) as conn:
            body = b"the stolen secret " * (size // 18)
            assert conn.get(f"http://{authority}/{word}", authority, method="POST", body=body).status == 200
        line = leash.log.wait_for(since, event="allowed", url=lambda url: url and url.endswith(word))
        assert line["req_body"] == body.decode()
    for conn in held:
        conn.close()


# The record


def test_a_name_that_was_looked_up_is_on_record(make_leash, dns):
    """A look-up leaves the machine, so a client that goes away during it has its line."""
    name, go = "exfiltrated-4711.wild.test", threading.Event()
    asked = threading.Event()

    def slow(_):
        asked.set()
        go.wait(DEADLINE)
        return ["127.0.0.1"]
    dns.records[name] = slow
    leash = make_leash(mode="enforce", allow=[{"host": "wild.test"}])
    conn = leash.connect()
    conn.send(f"CONNECT {name}:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert asked.wait(DEADLINE)
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()
    leash.log.wait_for(event="error", host=name, reason=lambda reason: reason and reason.startswith("closed_early"))
    go.set()
    leash.stop()
    assert len([line for line in leash.log.lines(event="error")]) == 1


@pytest.mark.parametrize("headers", [[], [("Connection", "X-Agent-Source")], [("X-Agent-Source", "10.9.9.9")],
                                     [("Connection", "X-Agent-Source"), ("X_Agent_Source", "10.9.9.9")]])
def test_the_agents_source_is_leashs_to_say(make_leash, make_origin, headers):
    origin = make_origin()
    leash = make_leash(mode="enforce", hosts={"id.test": "127.0.0.1"}, allow=[{"host": "id.test", "ports": [origin.port]}],
                       env={"LEASH_IDENTITY_HOST": "id.test"})
    authority = f"id.test:{origin.port}"
    with leash.connect() as conn:
        assert conn.get(f"http://{authority}/", authority, headers=headers).status == 200
        head = f"POST http://{authority}/t HTTP/1.1\r\nHost: {authority}\r\nTransfer-Encoding: chunked\r\n\r\n"
        conn.send(head + "1\r\nx\r\n0\r\nX-Agent-Source: 10.6.6.6\r\nX-Other: 1\r\n\r\n")
        assert conn.response("POST").status == 200
    for request in origin.requests:
        said = [value for name, value in request.headers if name.lower().replace("_", "-") == "x-agent-source"]
        assert said == ["127.0.0.1"]
        assert not [name for name, _ in request.trailers or () if "source" in name.lower()]
