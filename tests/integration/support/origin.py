"""A recording origin: what it received is what leash let out."""

import socket
import ssl
import threading

from .http import Closed, Reader, Request
from .wait import DEADLINE


def server_context(certificate, alpn=("http/1.1",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class Exchange:
    """One request that an origin has got, for the script that answers it."""

    def __init__(self, peer, request):
        self.peer = peer
        self.request = request
        self.is_body_read = False

    def send(self, data):
        self.peer.sock.sendall(data)

    def read_body(self):
        if not self.is_body_read:
            self.is_body_read = True
            self.peer.reader.body(self.request)
            self.request.is_whole = True
        return self.request.body

    def close(self):
        self.peer.close()


def message(status=200, body=b"", headers=(), reason="OK", length=True):
    """The bytes of a response."""
    lines = [f"HTTP/1.1 {status} {reason}"]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def reply(status=200, body=b"ok", headers=(("Content-Type", "text/plain"),), reason="OK"):
    """A script: reads the request whole, answers."""
    def script(exchange):
        exchange.read_body()
        head_only = exchange.request.method == "HEAD"
        data = message(status, body, headers, reason)
        exchange.send(data[:len(data) - len(body)] if head_only and body else data)
    return script


def raw(*pieces, close=True):
    """A script: reads the request whole, sends exactly these bytes, then closes."""
    def script(exchange):
        exchange.read_body()
        for piece in pieces:
            exchange.send(piece)
        if close:
            exchange.close()
    return script


class Peer:
    """One connection to an origin, from its side."""

    def __init__(self, origin, sock, number):
        self.origin = origin
        self.sock = sock
        self.number = number
        self.received = bytearray()  # plaintext, from the first byte on
        self.reader = Reader(self._recv)
        self.is_open = True
        self.thread = None  # that serves it

    def _recv(self):
        try:
            data = self.sock.recv(65536)
        except (OSError, ValueError):
            data = b""
        with self.origin.changed:
            if self.origin.keeps_bytes:
                self.received += data
            self.origin.byte_count += len(data)
            self.origin.changed.notify_all()
        return data

    def close(self, is_clean=True):
        """Over TLS it says so first, unless it is to look cut. Only the thread that serves it may: OpenSSL's connections
        belong to one thread, and another one that meets a read in them ends the process."""
        self.is_open = False
        if is_clean and isinstance(self.sock, ssl.SSLSocket) and threading.current_thread() is self.thread:
            try:
                self.sock.settimeout(0)
                self.sock.unwrap()  # sends close_notify; the answer is not waited for
            except (OSError, ValueError):
                pass
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Origin:
    """Serves on 127.0.0.1 (TLS where it has a certificate), records, answers by script: `origin.on("/path", script)`."""

    def __init__(self, certificate=None, address="127.0.0.1", port=0, context=None, keeps_bytes=True):
        self.context = context or (server_context(certificate) if certificate else None)
        self.certificate = certificate
        self.changed = threading.Condition()
        self.keeps_bytes = keeps_bytes
        self.byte_count = 0
        self.peers = []
        self.requests = []
        self.handshake_errors = []
        self.scripts = {}
        self.default = reply()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(1024)
        self.address = address
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    # scripting

    def on(self, path, script):
        """Requests for this path (query left aside) are answered by script(exchange)."""
        self.scripts[path] = script
        return self

    # what it saw

    @property
    def connections(self):
        with self.changed:
            return len(self.peers)

    def received(self):
        """All plaintext bytes of all connections."""
        with self.changed:
            return b"".join(bytes(peer.received) for peer in self.peers)

    def saw(self, marker):
        return marker.encode() in self.received()

    def requests_for(self, path):
        with self.changed:
            return [r for r in self.requests if r.target == path or r.target.split("?")[0] == path]

    def wait_for(self, condition, what="what the origin should see"):
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self), DEADLINE):
                raise AssertionError(f"{what}: not within {DEADLINE:.0f} s")

    # the works

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                peer = Peer(self, sock, len(self.peers))
                self.peers.append(peer)
                self.changed.notify_all()
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        peer.thread = threading.current_thread()
        try:
            if self.context is not None:
                peer.sock.settimeout(DEADLINE)
                peer.sock = self.context.wrap_socket(peer.sock, server_side=True)
                peer.sock.settimeout(None)
            self.serve_connection(peer)
        except (OSError, ValueError) as error:
            with self.changed:
                self.handshake_errors.append(str(error))
                self.changed.notify_all()
        except Closed:
            pass
        finally:
            peer.close()

    def serve_connection(self, peer):
        while peer.is_open:
            request = Request(peer.reader.until(b"\r\n\r\n"))
            with self.changed:
                self.requests.append(request)
                self.changed.notify_all()
            exchange = Exchange(peer, request)
            self.scripts.get(request.target.split("?")[0], self.default)(exchange)
            if peer.is_open:
                exchange.read_body()
            if request.version == "HTTP/1.0" or (request.get("connection") or "").lower() == "close":
                return

    def close(self):
        # shutdown wakes the thread in accept(); close alone would not
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for peer in list(self.peers):
            peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
