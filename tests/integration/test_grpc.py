"""gRPC by its own library on both ends: every kind of call passes, and the log says how it went."""

import queue

import grpc
import pytest

from support.rpc import HOST, SERVICE, Caller, EchoServer
from support.wait import DEADLINE
from support.world import marker


@pytest.fixture(scope="module")
def server(pki):
    made = EchoServer(pki.issue(HOST))
    yield made
    made.close()


@pytest.fixture(scope="module")
def leash(module_leash, server):
    return module_leash(mode="enforce", hosts={HOST: "127.0.0.1"},
                        allow=[{"host": HOST, "ports": [server.port], "paths": [{"method": "POST", "prefix": f"/{SERVICE}/"}]}])


@pytest.fixture
def caller(leash, server):
    made = Caller(leash, server.authority)
    yield made
    made.close()


def outcome(leash, server, method, word):
    """The outcome line of this call; it and its intent name service and method."""
    url = f"https://{server.authority}/{SERVICE}/{method}"
    line = leash.log.wait_for(event="allowed", url=url, req_headers=lambda fields: ["word", word] in (fields or []))
    intent, = leash.log.lines(event="request", id=line["id"])
    assert (intent["url"], intent["method"], line["method"]) == (url, "POST", "POST")
    return line


def test_unary(leash, server, caller):
    word = marker()
    answer, call = caller.unary("Unary", b"hello" * 1000, word)
    assert answer == b"hello" * 1000 and call.code() is grpc.StatusCode.OK
    assert {("x-trailer", "t"), ("bytes-bin", b"\x00\xff")} <= set(call.trailing_metadata())
    line = outcome(leash, server, "Unary", word)
    assert line["grpc_status"] == "0" and line["status"] == 200 and line["alpn"] == "h2"
    assert line["bytes_up"] == line["bytes_down"] == 5005  # a message with its head of five bytes
    assert server.wait_for(word)["metadata"]["user-agent"].startswith("grpc-python/")


def test_many_calls_share_one_tunnel(leash, server, caller):
    words = [marker() for _ in range(50)]
    method = caller.channel.unary_unary(f"/{SERVICE}/Unary")
    since = leash.log.mark()
    calls = [method.future(word.encode(), timeout=DEADLINE, metadata=(("word", word),)) for word in words]
    assert [call.result() for call in calls] == [word.encode() for word in words]
    leash.log.wait_for(since, count=50, event="allowed")
    first = leash.log.wait_for(since, event="connect_allowed")
    assert [line["id"] for line in leash.log.lines(event="connect_allowed", seq=lambda seq: seq >= first["seq"])] == [first["id"]]


def test_client_streaming(leash, server, caller):
    word, pieces = marker(), [bytes([number]) * 10_000 for number in range(100)]
    assert caller.collect("Collect", iter(pieces), word) == b"".join(pieces)
    line = outcome(leash, server, "Collect", word)
    assert line["grpc_status"] == "0" and line["bytes_up"] == 100 * 10_005 and line["bytes_down"] == 1_000_005


def test_server_streaming(leash, server, caller):
    word = marker()
    assert list(caller.stream("Count", b"1000", word)) == [b"%d" % number for number in range(1000)]
    assert outcome(leash, server, "Count", word)["grpc_status"] == "0"


def test_bidirectional_streaming(leash, server, caller):
    """In turns: nothing is held back until more comes."""
    word, to_send = marker(), queue.Queue()
    answers = caller.chat("Chat", iter(to_send.get, None), word)
    for number in range(100):
        to_send.put(b"word %d" % number)
        assert next(answers) == b"WORD %d" % number
    to_send.put(None)
    assert list(answers) == []
    assert outcome(leash, server, "Chat", word)["grpc_status"] == "0"


@pytest.mark.parametrize("method", ["Fail", "NoSuchMethod"])
def test_status_without_a_message(leash, server, caller, method):
    """Trailers only: the status stands among the fields of a head that ends the stream."""
    word = marker()
    with pytest.raises(grpc.RpcError) as failed:
        caller.unary(method, b"x", word)
    code = grpc.StatusCode.PERMISSION_DENIED if method == "Fail" else grpc.StatusCode.UNIMPLEMENTED
    assert failed.value.code() is code
    if method == "Fail":
        assert failed.value.details() == "no, \N{SNOWMAN}"
    line = outcome(leash, server, method, word)
    assert line["grpc_status"] == str(code.value[0]) and line["status"] == 200


def test_status_after_messages(leash, server, caller):
    word = marker()
    answers = caller.stream("FailLate", b"x", word)
    assert next(answers) == b"first"
    with pytest.raises(grpc.RpcError) as failed:
        next(answers)
    assert failed.value.code() is grpc.StatusCode.DATA_LOSS and failed.value.details() == "late"
    assert outcome(leash, server, "FailLate", word)["grpc_status"] == "15"


def test_deadline_goes_on_to_the_server(leash, server, caller):
    """As grpc-timeout; and when it has passed, the server's call ends too."""
    word = marker()
    answers = caller.stream("Wait", b"x", word, timeout=10.0)  # for all that comes before the wait
    assert next(answers) == b"begun"
    assert 0 < server.wait_for(word, "remaining")["remaining"] <= 10.0
    with pytest.raises(grpc.RpcError) as failed:
        next(answers)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert server.wait_for(word, "ended")["ended"]


def test_cancellation_goes_on_to_the_server(leash, server, caller):
    word, since = marker(), leash.log.mark()
    answers = caller.stream("Wait", b"x", word)
    assert next(answers) == b"begun"
    answers.cancel()
    assert server.wait_for(word, "ended")["ended"]
    line = leash.log.wait_for(since, event="error", url=f"https://{server.authority}/{SERVICE}/Wait")
    assert line["status"] == 200 and "grpc_status" not in line
    # the connection, which other calls share, lives on
    assert caller.unary("Unary", b"after", marker())[0] == b"after"


def test_method_that_policy_refuses(leash, server, caller):
    """A path rule is a rule about services and methods; the client is told in its own terms."""
    call = caller.channel.unary_unary("/other.v1.Service/Do")
    with pytest.raises(grpc.RpcError) as failed:
        call(b"x", timeout=DEADLINE)
    assert failed.value.code() is grpc.StatusCode.PERMISSION_DENIED  # what the library makes of a 403
    line = leash.log.wait_for(event="blocked", url=f"https://{server.authority}/other.v1.Service/Do")
    assert line["reason"] == "path_not_allowed" and "grpc_status" not in line


def test_host_that_policy_refuses(leash):
    since, made = leash.log.mark(), Caller(leash, "other.test:443")
    with pytest.raises(grpc.RpcError) as failed:
        made.unary("Unary", b"x", marker())
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    made.close()
    assert leash.log.wait_for(since, event="blocked", host="other.test")["reason"] == "not_in_allowlist"


def test_proxy_from_the_environment(leash, server, monkeypatch):
    """https_proxy is all that an unchanged program needs."""
    monkeypatch.setenv("https_proxy", leash.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("grpc_proxy", raising=False)
    made, word = Caller(leash, server.authority, proxy_option=False), marker()
    assert made.unary("Unary", b"hello", word)[0] == b"hello"
    made.close()
    outcome(leash, server, "Unary", word)
