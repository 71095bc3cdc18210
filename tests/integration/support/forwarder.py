"""For programs that cannot speak CONNECT: what connects here is connected, through the proxy, to one target."""

import socket
import threading

from .client import Conn


class Forwarder:
    def __init__(self, leash, target):
        self.leash = leash
        self.target = target  # "host:port", as CONNECT names it
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = self.listener.getsockname()
        self.port = self.address[1]
        self.refused = []  # the answers that were not 200
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, near):
        with near:
            conn = Conn(self.leash.address)
            answer = conn.connect(self.target)
            if answer.status != 200:
                self.refused.append(answer)
                conn.close()
                return
            conn.sock.settimeout(None)
            back = threading.Thread(target=self._pump, args=(conn.sock, near), daemon=True)
            back.start()
            self._pump(near, conn.sock)
            back.join()
            conn.close()

    @staticmethod
    def _pump(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
        except OSError:
            pass
        for sock, how in ((to, socket.SHUT_WR), (source, socket.SHUT_RD)):
            try:
                sock.shutdown(how)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
