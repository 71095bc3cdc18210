"""Agents that ask without a pause, and what became of each request."""

import threading

from .client import Closed
from .world import Way, marker


class Load:
    """`count` threads, every second one in a tunnel. Ends with stop(), or when leash has gone and `returns` is false."""

    def __init__(self, leash, world, count=4, returns=False):
        self.leash, self.world, self.returns = leash, world, returns
        self.answers = {}  # word -> status
        self.lock = threading.Lock()
        self.has_ended = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=("tunnel" if number % 2 else "plain",), daemon=True)
                        for number in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, via):
        while not self.has_ended.is_set():
            try:
                way = Way(self.leash, self.world, via)
                while not self.has_ended.is_set():
                    word = marker()
                    status = way.conn.get(way.target(f"/{word}"), way.host, headers=[("X-Pad", "p" * 300)]).status
                    with self.lock:
                        self.answers[word] = status
                way.conn.close()
            except (Closed, OSError, AssertionError):  # cut, or a CONNECT that was refused
                if not self.returns:
                    return

    def count(self, status):
        with self.lock:
            return sum(1 for value in self.answers.values() if value == status)

    def stop(self):
        self.has_ended.set()
        for thread in self.threads:
            thread.join()


def seen(world):
    """The paths that the origins have got so far."""
    paths = []
    for origin in (world.tls, world.plain):
        with origin.changed:
            paths += [request.target for request in origin.requests]
    return paths


def seen_count(world):
    return len(world.tls.requests) + len(world.plain.requests)


def paths_asked(lines):
    """The paths that `request` lines are about."""
    return {"/" + line["url"].rsplit("/", 1)[1] for line in lines if line["event"] == "request"}


def without_intent(paths, lines):
    """Those of the paths that no `request` line is about."""
    asked = paths_asked(lines)
    return [path for path in paths if path not in asked]
