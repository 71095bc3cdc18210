#!/usr/bin/python3
"""Counts the instructions of what leash does most, under callgrind, and holds them against bench/instructions.json.

    bench/instructions.py           print the counts, and fail where one is more than 5 % above what is written there
    bench/instructions.py --write   write them there instead

Instructions, not time: the same on a busy machine. They depend on compiler and OpenSSL, whose versions are written beside them; with
others the counts are printed and nothing is held against them. Of the proxy the worker's thread is counted (the writer's waits
are not the same each time), as the difference of a long and a short run, so that start and end cancel out. Needs the
release build with bench/micro, valgrind, and what the integration tests need.
"""

import argparse
import json
import multiprocessing
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from support.dns import Dns  # noqa: E402
from support.leash import BUILD, LEASH, Leash  # noqa: E402
from support.pki import Pki  # noqa: E402

BOUNDS = ROOT / "bench" / "instructions.json"
NO_SECCOMP = BUILD / "bench" / "no_seccomp.so"
ALLOWED = 1.05
RESPONSE = (b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sun, 29 Nov 2026 12:00:00 GMT\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Length: 1024\r\n\r\n" + b"x" * 1024)
WORKER = "leash::proxy::Transport::receive"  # a function that no other thread runs


def serve(listener, certificate):
    """An origin that sends each answer in one TLS record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    while True:
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(peer, server_side=True) as stream:
            while data := stream.recv(65536):
                if data.endswith(b"\r\n\r\n"):
                    stream.sendall(RESPONSE)


def versions():
    compiler = subprocess.run(["g++", "-dumpfullversion"], stdout=subprocess.PIPE, text=True).stdout.strip()
    # valgrind knows these, and OpenSSL and glibc choose their code by them.
    flags = set(Path("/proc/cpuinfo").read_text().split())
    return {"g++": compiler, "openssl": ssl.OPENSSL_VERSION.split()[1], "machine": os.uname().machine,
            "flags": sorted(flags & {"avx", "avx2", "bmi2", "adx", "aes", "pclmulqdq"})}


def valgrind(out):
    # Not what the processor has, which differs from one machine to the next, but what valgrind makes of it.
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--log-file=/dev/null"]


def total_of(path):
    return int(re.search(r"^(?:totals|summary): (\d+)", path.read_text(errors="replace"), re.MULTILINE)[1])


def count_micro(what, scratch):
    def run(count):
        out = scratch / f"{what}-{count}"
        subprocess.run(valgrind(out) + [str(BUILD / "bench" / "micro"), what, str(count)], check=True)
        return total_of(out)
    return (run(1200) - run(200)) / 1000


class Requests:
    """A client on a tunnel, in lock-step: each request goes out when the answer before is here."""

    def __init__(self, leash, authority):
        self.leash, self.authority = leash, authority
        self.context = ssl.create_default_context(cafile=leash.ca_file)
        self.request = (f"GET /v1/models HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: agent/1.0\r\nAccept: */*\r\n"
                        "Accept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n").encode()

    def tunnel(self):
        sock = socket.create_connection(self.leash.address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(f"CONNECT {self.authority} HTTP/1.1\r\nHost: {self.authority}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += sock.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return self.context.wrap_socket(sock, server_hostname=self.authority.split(":")[0])

    @staticmethod
    def answer(stream):
        have = b""
        while not have.endswith(b"x" * 1024):
            part = stream.recv(65536)
            assert part, have
            have += part
        assert have.startswith(b"HTTP/1.1 200"), have

    def kept(self, count):
        with self.tunnel() as stream:
            for _ in range(count):
                stream.sendall(self.request)
                self.answer(stream)

    def new(self, count):
        for _ in range(count):
            self.kept(1)


def count_proxy(load, few, many, scratch, pki, dns):
    """Instructions of the worker for one more of what `load` does."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    origin = multiprocessing.Process(target=serve, args=(listener, pki.issue("instructions.test").path), daemon=True)
    origin.start()
    port = listener.getsockname()[1]
    authority = f"instructions.test:{port}"

    def run(count):
        directory = scratch / f"{load}-{count}"
        directory.mkdir()
        wrapper = directory / "leash"
        # The dumps lie where leash may write anyway.
        wrapper.write_text(f"#!/bin/sh\nexec env LD_PRELOAD={NO_SECCOMP} " + " ".join(valgrind(directory / "logs" / "callgrind"))
                           + f' --separate-threads=yes {LEASH} "$@"\n')
        wrapper.chmod(0o755)
        leash = Leash(directory, dns.address, origin_ca=pki.ca_file, allow=[{"host": "instructions.test", "ports": [port]}],
                      hosts={"instructions.test": "127.0.0.1"}, args=["--workers", "1"], command=str(wrapper)).start()
        try:
            getattr(Requests(leash, authority), load)(count)
        finally:
            leash.stop()
        dumps = [path for path in (directory / "logs").glob("callgrind*-*") if WORKER in path.read_text(errors="replace")]
        assert len(dumps) == 1, dumps
        return total_of(dumps[0])

    try:
        return (run(many) - run(few)) / (many - few)
    finally:
        origin.terminate()
        listener.close()


def count_all():
    scratch = Path(tempfile.mkdtemp(prefix="leash-instructions-"))
    dns = Dns()
    try:
        pki = Pki(scratch / "pki")
        return {
            "decision": count_micro("decision", scratch),
            "audit line": count_micro("line", scratch),
            "kept-alive request": count_proxy("kept", 50, 250, scratch, pki, dns),
            "new intercepted connection": count_proxy("new", 10, 40, scratch, pki, dns),
        }
    finally:
        dns.close()
        shutil.rmtree(scratch, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    counts = {name: round(count) for name, count in count_all().items()}
    if write:
        BOUNDS.write_text(json.dumps({"versions": versions(), "instructions": counts}, indent=1) + "\n")
    written = json.loads(BOUNDS.read_text())
    is_comparable = written["versions"] == versions()
    failed = 0
    for name, count in counts.items():
        ratio = count / written["instructions"][name]
        is_good = ratio <= ALLOWED or not is_comparable
        failed += not is_good
        print(f"{'good' if is_good else 'MORE'}  {name}: {count:,} instructions, {ratio:.3f} of what is written")
    if not is_comparable:
        print(f"not compared: written with {written['versions']}, this is {versions()}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
