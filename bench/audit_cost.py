#!/usr/bin/python3
"""What LEASH_AUDIT=write, sync and async cost: CPU time of leash for a request, and what a request waits longer.

    make build && bench/audit_cost.py [--requests N] [--rounds N] [--dir DIR]

Plain keep-alive requests on loopback, from one connection in turns and from 16 at once, in each mode one after the other, then again. The
log is in DIR, which should be on the disk that is meant (memory has no fdatasync worth the name). Needs root, as the
integration tests do, whose support it uses.
"""

import argparse
import multiprocessing
import os
import selectors
import shutil
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from support.dns import Dns  # noqa: E402
from support.leash import Leash  # noqa: E402

MODES = ["write", "sync", "async"]
BODY = b"x" * 1024
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


def serve(listener):
    """An origin that answers whatever ends a head, in a process of its own."""
    chooser = selectors.DefaultSelector()
    chooser.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in chooser.select():
            if key.fileobj is listener:
                peer, _ = listener.accept()
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                chooser.register(peer, selectors.EVENT_READ)
                continue
            try:
                data = key.fileobj.recv(65536)
            except ConnectionResetError:  # a client that has seen enough
                data = b""
            if not data:
                chooser.unregister(key.fileobj)
                key.fileobj.close()
            elif data.endswith(b"\r\n\r\n"):
                key.fileobj.sendall(RESPONSE)


def connect(address):
    sock = socket.create_connection(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ask(address, request, connections, count):
    """Each connection asks again as soon as it has its answer. Returns the seconds that each request took."""
    chooser = selectors.DefaultSelector()
    took, begun = [], {}
    for _ in range(connections):
        sock = connect(address)
        chooser.register(sock, selectors.EVENT_READ, bytearray())
        begun[sock] = time.perf_counter()
        sock.sendall(request)
    while len(took) < count:
        for key, _ in chooser.select():
            sock, have = key.fileobj, key.data
            have += sock.recv(65536)
            if not have.endswith(BODY):
                continue
            now = time.perf_counter()
            assert have.startswith(b"HTTP/1.1 200"), bytes(have[:200])
            took.append(now - begun[sock])
            have.clear()
            begun[sock] = time.perf_counter()
            sock.sendall(request)
    for key in list(chooser.get_map().values()):
        key.fileobj.close()
    return took


def cpu_seconds(pid):
    return sum(int(Path(task, "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def quantiles(took):
    ordered = sorted(took)
    return ordered[len(ordered) // 2] * 1e6, ordered[len(ordered) * 99 // 100] * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5000, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", default=str(ROOT / "build"), help="where the logs are made")
    options = parser.parse_args()

    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    origin = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    origin.start()
    port = listener.getsockname()[1]
    authority = f"bench.test:{port}"
    direct = f"GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
    through = f"GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
    dns = Dns()
    scratch = Path(tempfile.mkdtemp(prefix="leash-bench-", dir=options.dir))
    results = {(mode, many): [] for mode in MODES for many in (1, 16)}
    try:
        for turn in range(options.rounds):
            for mode in MODES:
                leash = Leash(scratch / f"{turn}-{mode}", dns.address, mode="enforce", allow=[{"host": "bench.test", "ports": [port]}],
                              hosts={"bench.test": "127.0.0.1"}, env={"LEASH_AUDIT": mode}).start()
                for many in (1, 16):
                    ask(leash.address, through, many, 200)  # warm
                    base = quantiles(ask(("127.0.0.1", port), direct, many, options.requests))
                    before = cpu_seconds(leash.pid)
                    took = ask(leash.address, through, many, options.requests)
                    cpu = (cpu_seconds(leash.pid) - before) / len(took) * 1e6
                    median, last = quantiles(took)
                    results[mode, many].append((cpu, median - base[0], last - base[1]))
                leash.stop()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        dns.close()
        origin.terminate()
    print(f"{options.requests} requests, medians of {options.rounds} rounds; log on {options.dir}; load of the machine "
          f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("mode   at once   CPU-us a request   added p50 us   added p99 us")
    for mode in MODES:
        for many in (1, 16):
            cpu, median, last = (statistics.median(column) for column in zip(*results[mode, many]))
            print(f"{mode:<7}{many:>7}{cpu:>19.1f}{median:>15.0f}{last:>15.0f}")


if __name__ == "__main__":
    main()
