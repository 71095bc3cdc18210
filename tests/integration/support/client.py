"""A client that writes exactly the bytes it is told to."""

import socket
import ssl

from .http import Closed, Reader
from .wait import DEADLINE


class Conn:
    """One connection to the proxy, as an agent would have it; TLS can be started on it at any point."""

    def __init__(self, address, source=None, timeout=DEADLINE):
        self.sock = socket.create_connection(address, timeout, source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self._recv)
        self.was_reset = False

    def _recv(self):
        try:
            return self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            self.was_reset = True
            return b""
        except ssl.SSLError:
            self.was_reset = True  # an alert, or an end without close_notify
            return b""

    def send(self, data):
        """Sends; a peer that has hung up is no error here: what it said is what counts."""
        try:
            self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            self.was_reset = True

    def response(self, method="GET"):
        return self.reader.response(method)

    def ask(self, data, method="GET"):
        self.send(data)
        return self.response(method)

    def get(self, path, host, headers=(), method="GET", body=None):
        """An ordinary request inside a tunnel, or (with an absolute path) on the proxy connection."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines) + "\r\n\r\n")
        if body:
            self.send(body)
        return self.response(method)

    def connect(self, target, headers=()):
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"] + [f"{n}: {v}" for n, v in headers]
        return self.ask("\r\n".join(lines) + "\r\n\r\n", "CONNECT")

    def start_tls(self, context, sni):
        """Handshakes on this connection; the context decides what is verified. Raises what ssl raises."""
        assert not self.reader.buffer, f"bytes before TLS: {bytes(self.reader.buffer)!r}"
        self.sock = context.wrap_socket(self.sock, server_hostname=sni, suppress_ragged_eofs=False)
        return self

    def is_at_end(self):
        """Waits until the proxy closes; False where it sends something instead."""
        if self.reader.buffer:
            return False
        return not self.reader.fill()

    def read_to_end(self):
        return self.reader.to_end()

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def client_context(ca_file, alpn=("http/1.1",), checks_name=True):
    context = ssl.create_default_context(cafile=ca_file)
    context.check_hostname = checks_name
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


__all__ = ["Closed", "Conn", "client_context"]
