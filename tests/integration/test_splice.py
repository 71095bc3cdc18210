"""A tunnel that is not intercepted shows its name, or does not go on."""

import os
import socket
import ssl
import struct
import threading

import pytest

from support.http import Closed
from support.world import marker
from test_tls import client_hello, cut_record, entry, names


@pytest.fixture(scope="module")
def leash(module_leash, world):
    return module_leash(mode="enforce", **world.options(allow=[dict(world.allow[0], tls="splice")]))


def extension(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def made_hello(*extensions):
    """A ClientHello of our own: TLS 1.3's offer of one suite, and these extensions."""
    data = b"".join(extensions)
    hello = b"\x03\x03" + os.urandom(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + struct.pack("!H", len(data)) + data
    message = b"\x01" + struct.pack("!I", len(hello))[1:] + hello
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def sni(name):
    return extension(0, names(entry(name)))


# outer, HKDF-SHA256 and AES-128-GCM, a config id, an empty enc, 32 bytes of payload (RFC 9849 s. 5)
ECH = b"\x00" + b"\x00\x01\x00\x01" + b"\x2a" + b"\x00\x00" + b"\x00\x20" + b"\x00" * 32

REFUSED = {
    "ECH": (made_hello(sni(b"allow.test"), extension(0xfe0d, ECH)), "blocked", "ech_refused"),
    "ECH before the name": (made_hello(extension(0xfe0d, ECH), sni(b"allow.test")), "blocked", "ech_refused"),
    "empty ECH": (made_hello(sni(b"allow.test"), extension(0xfe0d, b"")), "blocked", "ech_refused"),
    "ECH of a draft": (made_hello(sni(b"allow.test"), extension(0xfe0a, ECH)), "blocked", "ech_refused"),
    "no name": (made_hello(extension(43, b"\x02\x03\x04")), "blocked", "sni_missing"),
    "no extensions": (made_hello(), "blocked", "sni_missing"),
    "another name": (made_hello(sni(b"deny.test")), "blocked", "name_mismatch"),
    "a name that begins alike": (made_hello(sni(b"allow.test.deny.test")), "blocked", "name_mismatch"),
    "NUL in the name": (made_hello(sni(b"allow.test\x00")), "error", "bad_client_hello"),
    "two names": (made_hello(sni(b"allow.test"), sni(b"deny.test")), "error", "bad_client_hello"),
}


@pytest.mark.parametrize("step", [0, 1], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("size", [100_000, 1, 5], ids=["one record", "records of 1", "records of 5"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_cannot_be_checked_is_refused(leash, world, name, size, step):
    """2, 64, 65, 68: however the hello is cut; not a byte of it reaches the origin."""
    hello, event, reason = REFUSED[name]
    since = leash.log.mark()
    before = world.tls.connections
    with leash.connect() as conn:
        assert conn.connect(world.tls_authority).status == 200
        data = cut_record(hello, size)
        for at in range(0, len(data), step or len(data)):
            conn.send(data[at:at + (step or len(data))])
        try:
            assert conn.read_to_end()[:1] in (b"", b"\x15")
        except Closed:
            pass
    line = leash.log.wait_for(since, event=event, reason=lambda text: text and text.startswith(reason))
    assert line["tls"] == "splice" and line["host"] == world.ALLOWED and "addr" not in line
    assert world.tls.connections == before


@pytest.mark.parametrize("step", [0, 1], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("size", [100_000, 1], ids=["one record", "records of 1"])
def test_a_good_hello_in_pieces_goes_on_as_it_came(leash, world, size, step):
    data = cut_record(client_hello(world.ALLOWED), size)
    with leash.connect() as conn:
        assert conn.connect(world.tls_authority).status == 200
        for at in range(0, len(data), step or len(data)):
            conn.send(data[at:at + (step or len(data))])
        assert conn.reader.exactly(1) == b"\x16"  # the origin's ServerHello


def test_a_hello_without_end_is_refused(leash, world):
    """64 KiB at most are waited for."""
    since, word = leash.log.mark(), marker()
    hello = made_hello(sni(b"allow.test"), extension(0xabcd, word.encode()))
    record = b"\x16\x03\x01\x00\x01"
    with leash.connect() as conn:
        assert conn.connect(world.tls_authority).status == 200
        endless = b"\x01\xff\xff\xff" + hello[9:]
        conn.send(b"".join(record + bytes([byte]) for byte in endless + b"\0" * 40_000))
        conn.read_to_end()
    leash.log.wait_for(since, event="error", reason=lambda text: text and text.startswith("bad_client_hello"))


# A server that wants another key asks for a second hello, in clear (HelloRetryRequest)


@pytest.fixture
def retrying(make_leash, pki):
    """A leash with a spliced entry for an origin that takes keys on P-256 alone, which no client offers at first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.issue("allow.test").path)
    context.set_ecdh_curve("prime256v1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            while True:
                try:
                    peer, _ = server.accept()
                    with context.wrap_socket(peer, server_side=True) as stream:
                        stream.recv(100)
                        stream.sendall(b"hello")
                except ssl.SSLError:
                    pass
                except OSError:
                    return
        threading.Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        leash = make_leash(mode="enforce", allow=[{"host": "allow.test", "ports": [port], "tls": "splice"}], hosts={"allow.test": "127.0.0.1"})
        leash.authority = f"allow.test:{port}"
        yield leash
        server.shutdown(socket.SHUT_RDWR)


def test_a_second_hello_with_the_same_name_passes(retrying, pki):
    context = ssl.create_default_context(cafile=pki.ca_file)
    with retrying.connect() as conn:
        assert conn.connect(retrying.authority).status == 200
        with context.wrap_socket(conn.sock, server_hostname="allow.test") as stream:
            stream.sendall(b"x")
            assert stream.recv(100) == b"hello" and stream.version() == "TLSv1.3"
    assert retrying.log.wait_for(event="tunnel_closed")["sni"] == "allow.test"


@pytest.mark.parametrize("name, event, reason", [(b"deny.test", "blocked", "name_mismatch"), (None, "blocked", "sni_missing")], ids=["another", "none"])
def test_a_second_hello_with_another_name_is_refused(retrying, name, event, reason):
    """64, 65: the second one decides which site answers."""
    # X25519 alone in key_share, P-256 in supported_groups, TLS 1.3, two signature schemes.
    offer = [extension(43, b"\x02\x03\x04"), extension(10, b"\x00\x04\x00\x1d\x00\x17"), extension(13, b"\x00\x04\x04\x03\x08\x04"),
             extension(51, b"\x00\x24\x00\x1d\x00\x20" + os.urandom(32))]
    since = retrying.log.mark()
    with retrying.connect() as conn:
        assert conn.connect(retrying.authority).status == 200
        conn.send(made_hello(sni(b"allow.test"), *offer))
        assert conn.reader.exactly(1) == b"\x16"  # the retry
        conn.send(made_hello(*([sni(name)] if name else []), *offer))
        try:
            conn.read_to_end()
        except Closed:
            pass
    line = retrying.log.wait_for(since, event=event, reason=lambda text: text and text.startswith(reason))
    assert line["bytes_up"] < 300 and line["tls"] == "splice"


@pytest.mark.parametrize("first", [b"", made_hello(sni(b"allow.test"))], ids=["of a first hello", "behind the first hello"])
def test_what_is_held_back_counts_for_its_client(make_leash, first):
    """Up to 64 KiB a tunnel wait for their end, or for a server's answer; over all tunnels a client may have what it may have."""
    unfinished = cut_record(b"\x16\x03\x01\xea\x60" + b"\x01\x00\xff\x00" + b"\0" * 59_996, 16_000)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        port = silent.getsockname()[1]
        leash = make_leash(mode="enforce", allow=[{"host": "allow.test", "ports": [port], "tls": "splice"}], hosts={"allow.test": "127.0.0.1"},
                           settings={"limits": {"client_memory_mb": 1}})
        tunnels = []
        while len(tunnels) < 40 and not leash.log.lines(event="error"):
            tunnels.append(leash.connect())
            assert tunnels[-1].connect(f"allow.test:{port}").status in (200, 503)
            tunnels[-1].send(first + unfinished)
        line = leash.log.wait_for(event="error")
        assert line["reason"].startswith("client_memory") and line["tls"] == "splice"
        for tunnel in tunnels:
            tunnel.close()
