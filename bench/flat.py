#!/usr/bin/python3
"""Whether what one request costs grows with what else leash holds: bench/flat.py [--tunnels 9000] [--names 20000]

    make build && ninja -C build bench/load && sudo bench/flat.py

CPU time of a kept-alive request beside more and more idle tunnels, of a connection to a name never seen while more and more names
have been, and of a kept-alive request with one worker and with two (what is contended would show there, whatever the number of
cores). Tunnels and their origins need descriptors: twice as many as there are tunnels.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rig import peers  # noqa: E402
from rig.metrics import METRICS  # noqa: E402
from rig.origin import Origin  # noqa: E402


class Roomy(peers.Leash):
    """All clients are at one address here."""

    def command(self):
        command, environment = super().command()
        (self.directory / "policy" / "leash.yaml").write_text("limits:\n  connections_per_client: 20000\n  client_memory_mb: 1024\n")
        return command, environment


class RoomyTwo(Roomy):
    workers = 2


def load(peer, options, key, more):
    """The load generator's command for a metric, with other flags of its mode."""
    metric = next(m for m in METRICS if m.key == key)
    return metric.command(peer, options, 0) + [str(word) for word in more]


def measure(command):
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def resident_mib(peer):
    text = Path(f"/proc/{peer.running.pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS"))) / 1024


def open_sockets(peer):
    def is_socket(fd):
        try:
            return str(fd.readlink()).startswith("socket:")
        except OSError:
            return False  # closed meanwhile
    return sum(is_socket(fd) for fd in Path(f"/proc/{peer.running.pid}/fd").iterdir())


def kept(peer, options):
    return statistics.median(measure(load(peer, options, "kept", []))["cpu_us"] for _ in range(options.repeat))


def beside_tunnels(origin, directory, options):
    for count in (0, 16, 100, 1000, options.tunnels):
        peer = Roomy(origin, directory / f"tunnels-{count}")
        peer.start()
        holder = None
        try:
            kept(peer, options)  # warm
            before, sockets = resident_mib(peer), open_sockets(peer)
            if count:
                holder = subprocess.Popen(load(peer, options, "idle", ["--requests", count, "--hold", 3600]), stdout=subprocess.DEVNULL)
                end = time.monotonic() + 120
                while open_sockets(peer) < sockets + count and time.monotonic() < end and holder.poll() is None:
                    time.sleep(0.1)
            cost = kept(peer, options)
            print(f"kept-alive request beside {count:>6,} idle tunnels: {cost:6.1f} CPU-us; {resident_mib(peer):6.0f} MiB "
                  f"(before them {before:.0f}), sockets {open_sockets(peer):,}", flush=True)
        finally:
            if holder is not None:
                holder.kill()
                holder.wait()
            peer.stop()


def over_names(origin, directory, options):
    peer = Roomy(origin, directory / "names")
    peer.start()
    try:
        step = max(1, options.names // 4)
        for first in range(0, options.names, step):
            result = measure(load(peer, options, "mint", ["--requests", step, "--first-name", first]))
            print(f"a name never seen, {first:>6,} to {first + step:>6,}: {result['cpu_us']:6.0f} CPU-us, {result['errors']} errors; "
                  f"{resident_mib(peer):.0f} MiB", flush=True)
    finally:
        peer.stop()


def with_workers(origin, directory, options):
    both = [("one worker", Roomy(origin, directory / "one")), ("two workers", RoomyTwo(origin, directory / "two"))]
    costs = {name: [] for name, _ in both}
    try:
        for _, peer in both:
            peer.start()
        for _ in range(options.repeat):
            for name, peer in both:
                costs[name].append(measure(load(peer, options, "kept", []))["cpu_us"])
    finally:
        for _, peer in both:
            peer.stop()
    for name, values in costs.items():
        print(f"kept-alive request with {name}: {statistics.median(values):.1f} CPU-us", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tunnels", type=int, default=9000)
    parser.add_argument("--names", type=int, default=20000)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    options.mint, options.idle = 1, 1  # what the rig's metrics would do by themselves; replaced by later flags
    directory = Path(tempfile.mkdtemp(prefix="leash-flat-"))
    directory.chmod(0o755)
    (directory / "origin").mkdir()
    origin = Origin(directory / "origin")
    try:
        beside_tunnels(origin, directory, options)
        over_names(origin, directory, options)
        with_workers(origin, directory, options)
    finally:
        origin.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
