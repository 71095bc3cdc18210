"""Origin connections that are kept: when one is used again, when a lost request is sent again, when one ends."""

import threading

import pytest

from support.http import Closed
from support.origin import Origin, reply, server_context
from support.wait import DEADLINE, wait_until
from support.world import Way, marker

BOTH = pytest.mark.parametrize("via", ["plain", "tunnel"])


@pytest.fixture(scope="module")
def leash(module_leash, world):
    return module_leash(mode="enforce", **world.options())


class Dying:
    """Answers the first request of each connection, and ends the connection on the next one: before or within an answer."""

    def __init__(self, said=b"", times=1000):
        self.said = said
        self.left = times
        self.seen = []
        self.peers = []
        self.lock = threading.Lock()

    def __call__(self, exchange):
        with self.lock:
            self.seen.append(exchange.request)
            is_second = exchange.peer in self.peers
            self.peers.append(exchange.peer)
            dies = is_second and self.left > 0
            self.left -= dies
        if not dies:
            exchange.read_body()
            reply()(exchange)
            return
        if self.said:
            exchange.send(self.said)
        exchange.close()


def ask_twice(leash, world, via, script, method="GET", body=None):
    """(second answer, its word): both requests go over one origin connection, as far as leash can know."""
    way, words = Way(leash, world, via), [marker(), marker()]
    for word in words:
        way.origin.on(f"/{word}", script)
    assert way.conn.get(way.target(f"/{words[0]}"), way.host).status == 200
    try:
        answer = way.conn.get(way.target(f"/{words[1]}"), way.host, method=method, body=body)
    except Closed:
        answer = None
    way.conn.close()
    return answer, words[1]


@BOTH
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT"])
def test_lost_on_a_kept_connection_is_sent_again(leash, world, via, method):
    """RFC 9110 s. 9.2.2: idempotent, and no byte of an answer has come. One intent, one outcome."""
    script = Dying()
    way, words = Way(leash, world, via), [marker(), marker()]
    for word in words:
        way.origin.on(f"/{word}", script)
    assert way.conn.get(way.target(f"/{words[0]}"), way.host).status == 200
    way.conn.send(f"{method} {way.target('/' + words[1])} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    assert way.conn.response(method).status == 200
    way.conn.close()
    assert len(script.seen) == 3
    leash.log.wait_for(event="allowed", url=lambda url: url and words[1] in url)
    assert len(leash.log.lines(event="request", url=lambda url: url and words[1] in url)) == 1


@BOTH
def test_a_body_that_was_yet_to_come_goes_with_the_second_try(leash, world, via):
    script = Dying()
    way, words = Way(leash, world, via), [marker(), marker()]
    for word in words:
        way.origin.on(f"/{word}", script)
    assert way.conn.get(way.target(f"/{words[0]}"), way.host).status == 200
    way.conn.send(f"PUT {way.target('/' + words[1])} HTTP/1.1\r\nHost: {way.host}\r\nContent-Length: 8\r\n\r\n")
    wait_until(lambda: len(script.seen) == 3, "the second try")
    way.conn.send(b"the body")
    assert way.conn.response().status == 200
    way.conn.close()
    assert way.origin.requests_for(f"/{words[1]}")[-1].body == b"the body"


@BOTH
@pytest.mark.parametrize("method,body", [("POST", None), ("POST", b"body"), ("PATCH", None)], ids=str)
def test_what_may_have_been_done_is_not_sent_again(leash, world, via, method, body):
    script = Dying()
    answer, word = ask_twice(leash, world, via, script, method, body)
    assert answer.status == 502
    assert len(script.seen) == 2
    leash.log.wait_for(event="error", url=lambda url: url and word in url)


@BOTH
@pytest.mark.parametrize("said", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
                                  b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"],
                         ids=["one byte", "100", "103", "half a head", "half a body"])
def test_an_answer_that_has_begun_is_not_asked_for_again(leash, world, via, said):
    script = Dying(said)
    answer, word = ask_twice(leash, world, via, script)
    assert answer is None or answer.status == 502
    assert len(script.seen) == 2
    leash.log.wait_for(event="error", url=lambda url: url and word in url)


@BOTH
def test_it_is_sent_again_once(leash, world, via):
    """A fresh connection that fails is the origin's answer."""
    way, words = Way(leash, world, via), [marker(), marker()]
    seen = []

    def dies(exchange):
        seen.append(exchange.request)
        exchange.close()
    way.origin.on(f"/{words[0]}", reply())
    way.origin.on(f"/{words[1]}", dies)
    assert way.conn.get(way.target(f"/{words[0]}"), way.host).status == 200
    assert way.conn.get(way.target(f"/{words[1]}"), way.host).status == 502
    way.conn.close()
    assert len(seen) == 2


@BOTH
def test_lost_on_a_fresh_connection_is_an_error(leash, world, via):
    word, seen = marker(), []

    def dies(exchange):
        seen.append(exchange.request)
        exchange.close()
    (world.tls if via == "tunnel" else world.plain).on(f"/{word}", dies)
    way = Way(leash, world, via)
    # other tests' connections are kept for this client: one of them may be used first
    assert way.conn.get(way.target(f"/{word}"), way.host).status == 502
    way.conn.close()
    assert len(seen) <= 2


@BOTH
def test_kept_connections_end_with_the_idle_limit(make_leash, pki, via):
    with Origin(context=server_context(pki.issue("idle.test")) if via == "tunnel" else None) as origin:
        leash = make_leash(mode="audit", settings={"limits": {"origin_idle_time": "200ms"}}, hosts={"idle.test": "127.0.0.1"})
        authority = f"idle.test:{origin.port}"
        conn = leash.tunnel("idle.test", origin.port) if via == "tunnel" else leash.connect()
        target = "/" if via == "tunnel" else f"http://{authority}/"
        assert conn.get(target, authority).status == 200
        wait_until(lambda: origin.peers and all(not peer.is_open for peer in origin.peers), "the kept connection ends")
        before = origin.connections
        assert conn.get(target, authority).status == 200
        assert origin.connections == before + 1
        conn.close()


@BOTH
def test_old_connections_take_no_further_request(make_leash, pki, via):
    with Origin(context=server_context(pki.issue("aged.test")) if via == "tunnel" else None) as origin:
        leash = make_leash(mode="audit", settings={"limits": {"origin_age": "1ms", "origin_idle_time": "300ms"}}, hosts={"aged.test": "127.0.0.1"})
        authority = f"aged.test:{origin.port}"
        conn = leash.tunnel("aged.test", origin.port) if via == "tunnel" else leash.connect()
        target = "/" if via == "tunnel" else f"http://{authority}/"

        def is_renewed():
            assert conn.get(target, authority).status == 200
            return origin.connections >= 3
        wait_until(is_renewed)
        wait_until(lambda: all(not peer.is_open for peer in origin.peers), "the connections that have aged end")
        conn.close()


@BOTH
def test_extra_bytes_of_an_origin_are_no_answer_to_the_next(leash, world, via):
    """44: garbage or a whole second answer behind the first, at once or later: the connection is not used again."""
    for extra in (b"x", b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"):
        for is_late in (False, True):
            way, word = Way(leash, world, via), marker()
            answered, peers = threading.Event(), []

            def script(exchange):
                peers.append(exchange.peer)
                if is_late:
                    reply()(exchange)
                    answered.wait(DEADLINE)
                    exchange.send(extra)
                else:
                    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + extra)
            way.origin.on(f"/{word}", script)
            assert way.conn.get(way.target(f"/{word}"), way.host).body == b"ok"
            answered.set()
            # A connection that is used again before they come cannot be told from a slow origin's.
            wait_until(lambda: all(not peer.is_open for peer in peers), "the end of that connection")
            for _ in range(3):
                way.legal()
            way.conn.close()
