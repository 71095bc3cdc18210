"""A client that knows how long it has kept leash waiting."""

import socket
import time

from .http import Reader
from .wait import DEADLINE


class Pace:
    """What lies between a client's steps and is its own doing. A leash that drains closes on a client that says nothing for
    a second, so one that the machine has held up for so long is no witness against leash."""

    SLICE = 0.1
    LONG = 0.5

    def __init__(self):
        self.longest = self.silence = 0.0
        self.since = time.monotonic()

    def count(self, allowed=0.0):
        now = time.monotonic()
        self.silence += max(0.0, now - self.since - allowed)
        self.since = now
        self.longest = max(self.longest, self.silence)

    def has_sent(self):
        self.count()
        self.silence = 0.0

    def wait(self, sock, step):
        """Takes a step that waits for leash in slices: the time that leash takes is no pause, a slice that lasts too long is."""
        end = time.monotonic() + DEADLINE
        sock.settimeout(self.SLICE)
        self.count()
        while True:
            try:
                done = step()
                sock.settimeout(DEADLINE)
                return done
            except TimeoutError:
                if time.monotonic() > end:
                    raise
            finally:
                self.count(self.SLICE)

    def excuses(self, failure):
        """Nobody is refused for being slow."""
        return self.longest > self.LONG and not isinstance(failure, ConnectionRefusedError)


def ask(address, authority, pace=None):
    """The status of a request over a new connection."""
    pace = pace or Pace()
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(address)
        try:
            sock.sendall(f"GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n".encode())
        finally:
            pace.has_sent()
        return Reader(lambda: sock.recv(65536)).response().status
