#!/usr/bin/python3
"""What a host list of a million names costs: time to load, memory, and what requests feel while it loads.

    make build && bench/host_lists.py [NAMES]

Needs root (a mount namespace for leash's resolver), as the integration tests do, whose support it uses.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from support.dns import Dns  # noqa: E402
from support.leash import Leash  # noqa: E402
from support.origin import Origin  # noqa: E402


def write_list(path, count, last):
    """Names like those of public lists: some 30 bytes each."""
    with open(path, "w") as out:
        out.write("# a host list\n")
        for number in range(count - 1):
            out.write(f"ad{number % 97}.tracker{number}.example-{number % 7}.test\n")
        out.write(last + "\n")


def wait_for_block(leash, authority):
    with leash.connect() as conn:
        while conn.get(f"http://{authority}/", authority).status != 403:
            time.sleep(0.002)


class Prober(threading.Thread):
    """One kept connection that asks all the time and remembers how long each answer took."""

    def __init__(self, leash, authority):
        super().__init__(daemon=True)
        self.leash, self.authority = leash, authority
        self.took = []  # (when, seconds)
        self.is_over = threading.Event()

    def run(self):
        with self.leash.connect() as conn:
            while not self.is_over.is_set():
                begin = time.monotonic()
                assert conn.get(f"http://{self.authority}/", self.authority).status == 200
                self.took.append((begin, time.monotonic() - begin))

    def between(self, begin, end):
        """(median, maximum) in ms of what was asked then, or was under way."""
        times = sorted(took for when, took in self.took if when + took >= begin and when <= end)
        return (times[len(times) // 2] * 1e3, times[-1] * 1e3) if times else (0.0, 0.0)


class Stream(threading.Thread):
    """An answer that has begun: the origin writes all the time; when did a piece come?"""

    def __init__(self, leash, authority):
        super().__init__(daemon=True)
        self.leash, self.authority = leash, authority
        self.came = []
        self.is_over = threading.Event()

    def script(self, exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while not self.is_over.wait(0.001):
            exchange.send(b"data: x\n\n")
        exchange.close()

    def run(self):
        with self.leash.connect() as conn:
            conn.send(f"GET http://{self.authority}/stream HTTP/1.1\r\nHost: {self.authority}\r\nConnection: close\r\n\r\n")
            while conn.reader.some():
                self.came.append(time.monotonic())

    def longest_gap(self, begin, end):
        """In ms."""
        times = [when for when in self.came if begin - 0.1 <= when <= end + 0.1]
        return max((later - earlier) * 1e3 for earlier, later in zip(times, times[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="?", type=int, default=1_000_000)
    count = parser.parse_args().names
    with tempfile.TemporaryDirectory(prefix="leash-bench-", dir="/dev/shm") as scratch, Origin(keeps_bytes=False) as origin:
        denied, authority = f"deny.test:{origin.port}", f"other.test:{origin.port}"
        dns = Dns()
        leash = Leash(scratch, dns.address, mode="blocklist", hosts={name: "127.0.0.1" for name in ("deny.test", "new.test", "other.test")}).start()
        lists = leash.policy / "lists"
        lists.mkdir()
        write_list(lists / "new", count, "deny.test")
        size = os.path.getsize(lists / "new")
        prober, stream = Prober(leash, authority), Stream(leash, authority)
        origin.on("/stream", stream.script)
        prober.start()
        stream.start()
        time.sleep(1.0)
        rss, before = leash.rss_mib, time.monotonic()

        os.rename(lists / "new", lists / "ads.txt")
        (leash.policy / ".new").write_text("block: []\nlists: [lists/ads.txt]\n")
        begin = time.monotonic()
        os.rename(leash.policy / ".new", leash.policy / "blocklist.yaml")
        wait_for_block(leash, denied)
        loaded = time.monotonic()
        time.sleep(1.0)
        after, peak = leash.rss_mib, leash.peak_mib
        quiet, busy, later = prober.between(before - 1, before), prober.between(begin, loaded), prober.between(loaded, loaded + 1)

        # again, as a daily update does it: a new file in the place of the old one
        write_list(lists / "new", count + 1, "new.test")
        again = time.monotonic()
        os.rename(lists / "new", lists / "ads.txt")
        wait_for_block(leash, f"new.test:{origin.port}")
        anew = time.monotonic()
        time.sleep(1.0)
        update = prober.between(again, anew)
        gap, gap_again = stream.longest_gap(begin, loaded), stream.longest_gap(again, anew)
        for thread in (prober, stream):
            thread.is_over.set()
            thread.join()
        print(f"{count:,} names, {size / 2**20:.0f} MiB of text")
        print(f"loaded after                {loaded - begin:.2f} s (a new file: {anew - again:.2f} s)")
        print(f"resident memory             {rss:.0f} MiB before, {after:.0f} after (+{after - rss:.0f}), peak {peak:.0f}; "
              f"after an update {leash.rss_mib:.0f}, peak {leash.peak_mib:.0f}")
        print(f"a request, before           median {quiet[0]:.2f} ms, longest {quiet[1]:.1f} ms")
        print(f"a request, while it loads   longest {busy[1]:.1f} ms (a new file: {update[1]:.1f} ms): it waits for what the list says")
        print(f"a stream, while it loads    longest gap {gap:.1f} ms (a new file: {gap_again:.1f} ms)")
        print(f"a request, after            median {later[0]:.2f} ms, longest {later[1]:.1f} ms")
        leash.stop()
        dns.close()
    decide = ROOT / "build" / "bench" / "decide"
    if decide.exists():
        sys.stdout.flush()
        subprocess.run([decide, str(count)], check=True)


if __name__ == "__main__":
    main()
