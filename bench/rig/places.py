"""Where a run puts its files, and the small things that its parts share."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
DOMAIN = "bench.test"  # resolved to loopback, in a mount namespace of each program
# Port 53 is fixed, so the address is this run's own.
DNS_ADDRESS = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 254 | 1}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, program, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if program.process.poll() is not None:
            raise SystemExit(f"bench: {' '.join(program.words)} ended with {program.process.returncode}: "
                             + Path(program.output.name).read_text(errors="replace"))
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"bench: nothing listens on port {port}")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(map(str, command))}: {done.stdout.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


class Program:
    """A process of ours, with its own resolver and in a process group of its own."""

    def __init__(self, command, log, resolv=None, environment=None):
        words = self.words = [str(word) for word in command]
        if resolv is not None:
            # The machine's own resolver is not touched: this process has another file in its place.
            words = ["unshare", "-m", "--propagation", "private", "sh", "-c",
                     'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(resolv)] + words
        self.output = open(log, "wb")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
                                        env=dict(os.environ, **(environment or {})), start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                continue
        self.process.wait(5)
        self.output.close()
