"""Where agents connect: several addresses, unix sockets, and TLS to the proxy's own port."""

import os
import signal
import socket
import ssl
import stat
import subprocess

import pytest

from support.client import Conn, client_context
from support.http import Reader
from support.leash import LEASHCTL, which
from support.wait import DEADLINE, wait_until
from support.world import marker

UID = os.getuid()


class UnixConn(Conn):
    """A client on a unix socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(str(path))
        self.reader = Reader(self._recv)
        self.was_reset = False


def spawn(leash, path):
    """On the unix socket alone."""
    line = leash.command_line()
    line[line.index("--listen") + 1] = f"unix:{path}"
    leash.command_line = lambda: line
    leash.spawn()
    wait_until(lambda: (leash.admin and path.exists()) or leash.process.poll() is not None, leash.stderr)
    return leash


def in_tls(leash, conn, name="localhost", alpn=None, **context):
    return conn.start_tls(client_context(leash.ca_file, alpn, **context), name)


class TestUnixSocket:
    def test_requests_and_tunnels_pass_and_the_user_is_the_agent(self, make_leash, world):
        leash = make_leash(starts=False, mode="enforce", args=["--workers", "2"], **world.options())
        path = leash.directory / "proxy.sock"
        spawn(leash, path)
        assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) == 0o660
        for _ in range(8):  # either worker may take it
            word = marker()
            with UnixConn(path) as conn:
                assert conn.get(f"http://{world.plain_authority}/{word}", world.plain_authority).body == b"ok"
            line = leash.log.wait_for(event="allowed", url=f"http://{world.plain_authority}/{word}")
            assert line["client"] == line["agent"] == f"unix:{UID}"
        conn = UnixConn(path)
        assert conn.connect(world.tls_authority).status == 200
        conn.start_tls(leash.context(), world.ALLOWED)
        assert conn.get("/", world.tls_authority).body == b"ok"
        assert conn.get("/x", world.DENIED).status == 421
        conn.close()
        leash.log.wait_for(event="tunnel_closed", client=f"unix:{UID}")

    def test_connections_are_counted_by_user(self, make_leash, world):
        leash = make_leash(starts=False, settings={"limits": {"connections_per_client": 2}}, **world.options())
        path = leash.directory / "proxy.sock"
        spawn(leash, path)
        held = [UnixConn(path) for _ in range(2)]
        for conn in held:
            assert conn.get(f"http://{world.plain_authority}/", world.plain_authority).status == 200
        with UnixConn(path) as conn:
            assert conn.response().status == 503
        leash.log.wait_for(event="error", client=f"unix:{UID}", reason="too_many_connections: from this client")
        held.pop().close()

        def is_served():
            with UnixConn(path) as conn:
                return conn.get(f"http://{world.plain_authority}/", world.plain_authority).status == 200
        wait_until(is_served)

    def test_the_file_goes_at_the_end_and_a_stale_one_is_replaced(self, make_leash):
        leash = make_leash(starts=False)
        path = leash.directory / "proxy.sock"
        spawn(leash, path)
        leash.stop()
        assert not path.exists()
        spawn(leash, path)
        leash.signal(signal.SIGKILL)
        leash.process.wait(DEADLINE)
        leash.process = None
        assert path.exists()  # stale
        spawn(leash, path)
        with UnixConn(path) as conn:
            assert conn.ask("GET / HTTP/1.1\r\n\r\n").status == 400
        leash.stop()

    def test_a_live_socket_and_other_files_are_left_alone(self, make_leash):
        first = make_leash(starts=False)
        path = first.directory / "proxy.sock"
        spawn(first, path)
        second = spawn(make_leash(starts=False), path)
        assert second.wait_for_exit() == 2 and "Address already in use" in second.stderr()
        second.process = None
        with UnixConn(path) as conn:
            assert conn.ask("GET / HTTP/1.1\r\n\r\n").status == 400
        precious = first.directory / "precious"
        precious.write_text("x")
        third = spawn(make_leash(starts=False), precious)
        assert third.wait_for_exit() == 2 and "not a socket" in third.stderr()
        third.process = None
        assert precious.read_text() == "x"

    def test_a_new_leash_takes_the_place_of_one_that_drains(self, make_leash, world):
        old = make_leash(starts=False, **world.options())
        path = old.directory / "proxy.sock"
        spawn(old, path)
        held = UnixConn(path)
        held.send("GET / HTTP/1.1\r\nHost:")  # keeps the drain waiting
        old.signal(signal.SIGTERM)
        wait_until(lambda: not path.exists(), old.stderr)
        new = spawn(make_leash(starts=False, **world.options()), path)
        held.close()
        old.stop()
        assert path.exists()
        with UnixConn(path) as conn:
            assert conn.ask("GET / HTTP/1.1\r\n\r\n").status == 400
        new.stop()

    def test_proxy_variables_cannot_name_it(self, make_leash, world):
        """leashctl env says so instead of printing what does not work."""
        leash = make_leash(starts=False, **world.options())
        path = leash.directory / "proxy.sock"
        spawn(leash, path)
        done = subprocess.run([LEASHCTL, "--policy-dir", str(leash.policy), "--ca-dir", str(leash.ca_dir), "env"],
                              env={"LEASH_LISTEN": f"unix:{path}"}, capture_output=True, timeout=DEADLINE)
        assert done.returncode == 1 and b"unix sockets only" in done.stderr and not done.stdout


def test_each_of_several_listeners_serves(make_leash, world):
    leash = make_leash(starts=False, mode="enforce", settings={"listen": "127.0.0.1:9"}, **world.options())
    path = leash.directory / "proxy.sock"
    line = leash.command_line()
    at = line.index("--listen")
    leash.command_line = lambda: line[:at] + line[at + 2:]
    leash.env["LEASH_LISTEN"] = f"127.0.0.1:0,[::1]:0 unix:{path}"
    leash.start()
    wait_until(lambda: len([each for each in leash.errors if "listening on" in each]) == 3, leash.stderr)
    ports = {}
    for each in leash.errors:
        for address in ("127.0.0.1", "[::1]"):
            if f"listening on {address}:" in each:
                ports[address.strip("[]")] = int(each.rsplit(":", 1)[1])
    conns = [Conn((address, port)) for address, port in ports.items()] + [UnixConn(path)]
    assert len(conns) == 3
    for conn, client in zip(conns, list(ports) + [f"unix:{UID}"]):
        word = marker()
        assert conn.get(f"http://{world.plain_authority}/{word}", world.plain_authority).body == b"ok"
        leash.log.wait_for(event="allowed", client=client, url=f"http://{world.plain_authority}/{word}")
        conn.close()


class TestTlsToTheProxy:
    @pytest.fixture(scope="class")
    def leash(self, module_leash, world):
        return module_leash(mode="enforce", args=["--proxy-name", "localhost", "--proxy-name", "proxy.test"], **world.options())

    @pytest.mark.parametrize("url", ["https", "http"])
    @pytest.mark.parametrize("proxy", ["https://localhost:{port}", "https://127.0.0.1:{port}"])
    def test_curl(self, leash, world, proxy, url):
        if which("curl") is None:
            pytest.skip("curl is not here")
        word, since = marker(), leash.log.mark()
        target = f"https://{world.tls_authority}/{word}" if url == "https" else f"http://{world.plain_authority}/{word}"
        done = subprocess.run(["curl", "-sS", "--proxy", proxy.format(port=leash.address[1]), "--proxy-cacert", leash.ca_file,
                               "--cacert", leash.ca_file, target], env={}, capture_output=True, timeout=DEADLINE * 2)
        assert done.returncode == 0, done.stderr
        assert done.stdout == b"ok"
        leash.log.wait_for(since, event="allowed", url=target)

    def test_curl_with_http2_inside(self, leash, world):
        if which("curl") is None:
            pytest.skip("curl is not here")
        done = subprocess.run(["curl", "-sS", "--http2", "-w", "%{http_version}", "--proxy", f"https://localhost:{leash.address[1]}",
                               "--proxy-cacert", leash.ca_file, "--cacert", leash.ca_file, f"https://{world.tls_authority}/"],
                              env={}, capture_output=True, timeout=DEADLINE * 2)
        assert done.returncode == 0 and done.stdout == b"ok2", (done.stdout, done.stderr)

    def test_python_http_client(self, leash, world):
        """TLS in TLS by Python's own means: two SSL objects, one over the other."""
        conn = in_tls(leash, leash.connect())
        assert conn.connect(world.tls_authority).status == 200
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = leash.context().wrap_bio(incoming, outgoing, server_hostname=world.ALLOWED)

        def drive(step):
            while True:
                try:
                    value = step()
                except ssl.SSLWantReadError:
                    value = None
                conn.sock.sendall(outgoing.read())
                if value is not None:
                    return value
                incoming.write(conn.sock.recv(65536))
        drive(lambda: inner.do_handshake() or True)
        inner.write(f"GET / HTTP/1.1\r\nHost: {world.tls_authority}\r\nConnection: close\r\n\r\n".encode())
        answer = drive(lambda: inner.read(65536))
        assert answer.startswith(b"HTTP/1.1 200")
        conn.close()

    def test_large_bodies_both_ways(self, leash, world, tmp_path):
        if which("curl") is None:
            pytest.skip("curl is not here")
        word = marker()
        (tmp_path / "up").write_bytes(os.urandom(1 << 20) * 4)

        def echo(exchange):
            body = exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            exchange.send(body)
        world.tls.on(f"/{word}", echo)
        done = subprocess.run(["curl", "-sS", "--fail", "-T", str(tmp_path / "up"), "-o", str(tmp_path / "down"), "--proxy",
                               f"https://localhost:{leash.address[1]}", "--proxy-cacert", leash.ca_file, "--cacert",
                               leash.ca_file, f"https://{world.tls_authority}/{word}"],
                              env={}, capture_output=True, timeout=DEADLINE * 2)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()

    def test_plain_requests_keep_alive_and_blocks(self, leash, world):
        conn = in_tls(leash, leash.connect(), "proxy.test", alpn=("http/1.1",))
        assert conn.sock.selected_alpn_protocol() == "http/1.1"
        for _ in range(3):
            assert conn.get(f"http://{world.plain_authority}/", world.plain_authority).body == b"ok"
        assert conn.get(f"http://{world.denied_plain_authority}/", world.denied_plain_authority).status == 403
        assert conn.connect(world.denied_tls_authority).status == 403
        assert conn.connect(world.tls_authority).status == 200
        conn.close()
        assert world.saw_nothing_denied()

    def test_clear_http_in_a_tunnel_is_http(self, leash, world):
        conn = in_tls(leash, leash.connect())
        assert conn.connect(world.plain_authority).status == 200
        word = marker()
        assert conn.get(f"/{word}", world.plain_authority).body == b"ok"
        leash.log.wait_for(event="allowed", url=f"http://{world.plain_authority}/{word}")
        conn.close()

    @pytest.mark.parametrize("name", ["allow.test", "deny.test", "x.localhost"])
    def test_another_name_gets_no_leaf(self, leash, name):
        since = leash.log.mark()
        with pytest.raises(ssl.SSLError, match="(?i)unrecognized name"):
            in_tls(leash, leash.connect(), name)
        line = leash.log.wait_for(since, event="error", reason=lambda text: text and text.startswith("name_mismatch"))
        assert name in line["reason"]

    def test_the_leaf_is_for_the_one_name(self, leash):
        for name, expected in (("localhost", ("DNS", "localhost")), (None, ("IP Address", "127.0.0.1"))):
            context = client_context(leash.ca_file, None, checks_name=False)
            conn = leash.connect()
            conn.sock = context.wrap_socket(conn.sock, server_hostname=name)
            assert conn.sock.getpeercert()["subjectAltName"] == (expected,)
            conn.close()

    def test_alpn_h2_alone_is_refused(self, leash):
        since = leash.log.mark()
        with pytest.raises(ssl.SSLError, match="(?i)no application protocol"):
            in_tls(leash, leash.connect(), alpn=("h2",))
        leash.log.wait_for(since, event="error", reason=lambda text: text and text.startswith("tls_client"))

    @pytest.mark.parametrize("raw", [b"\x16\x03\x01\x00\x05hello", b"\x16" * 70000, b"\x16\x03\x01"], ids=["bad", "long", "cut"])
    def test_what_only_looks_like_tls_is_refused(self, leash, raw):
        since, source = leash.log.mark(), "127.0.0.71"  # nobody else's, so its line is no other test's
        conn = leash.connect(source)
        conn.send(raw)
        conn.half_close()
        conn.read_to_end()
        line = leash.log.wait_for(since, event="error", client=source)
        assert line["reason"].startswith("tls_client")

    def test_tls_inside_the_proxy_connection_without_connect_is_refused(self, leash):
        since = leash.log.mark()
        conn = in_tls(leash, leash.connect())
        conn.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert conn.response().status == 400
        leash.log.wait_for(since, event="error")

    def test_a_handshake_that_stands_still_ends(self, make_leash, world):
        leash = make_leash(settings={"limits": {"client_handshake_time": "200ms"}}, **world.options())
        conn = leash.connect()
        conn.send(b"\x16\x03\x01\x02\x00")
        assert conn.is_at_end()
        leash.log.wait_for(event="error", reason=lambda text: text and "tls_timeout" in text)

    def test_a_hello_in_single_bytes_and_records(self, leash, world):
        """Split over TLS records of one byte, each in a segment of its own."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context(leash.ca_file, None).wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        hello = outgoing.read()[5:]
        conn = leash.connect()
        for byte in hello:
            conn.send(bytes([0x16, 3, 1, 0, 1, byte]))
        while True:
            incoming.write(conn.sock.recv(65536))
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
        conn.send(outgoing.read())
        client.write(f"GET http://{world.plain_authority}/ HTTP/1.1\r\nHost: {world.plain_authority}\r\n\r\n".encode())
        conn.send(outgoing.read())
        answer = b""
        while not answer.endswith(b"ok"):
            incoming.write(conn.sock.recv(65536))
            try:
                answer += client.read(65536)
            except ssl.SSLWantReadError:
                pass
        assert answer.startswith(b"HTTP/1.1 200")

    def test_splice_inside(self, make_leash, world):
        entry = {"host": world.ALLOWED, "ports": [world.tls.port], "tls": "splice"}
        leash = make_leash(mode="enforce", **world.options(allow=[entry]))
        if which("curl") is None:
            pytest.skip("curl is not here")
        done = subprocess.run(["curl", "-sS", "--proxy", f"https://localhost:{leash.address[1]}", "--proxy-cacert", leash.ca_file,
                               "--cacert", world.pki.ca_file, f"https://{world.tls_authority}/"],
                              env={}, capture_output=True, timeout=DEADLINE * 2)
        assert (done.returncode, done.stdout) == (0, b"ok"), done.stderr
        assert leash.log.wait_for(event="tunnel_closed")["tls"] == "splice"

    def test_on_a_unix_socket(self, make_leash, world):
        leash = make_leash(starts=False, **world.options())
        path = leash.directory / "proxy.sock"
        spawn(leash, path)
        conn = in_tls(leash, UnixConn(path))
        assert conn.get(f"http://{world.plain_authority}/", world.plain_authority).body == b"ok"
        conn.close()
