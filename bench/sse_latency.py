#!/usr/bin/python3
"""What leash adds to an event's way: from the moment the origin writes it to the moment the client has it.

    make build && bench/sse_latency.py [EVENTS]

An origin streams events (`text/event-stream`), each with the time at which it was written; the client reads them directly
and through leash, over each pair of versions. The first line of a pair is the time from sending a request to the first
event, on a connection that is there already; the second the way of each event after it. Client and origin are Python's
(h2, ssl) and in one process, so what they cost stands in every figure alike, and the difference is leash's. Needs root.
"""

import argparse
import statistics
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import h2.config  # noqa: E402
import h2.connection  # noqa: E402
import h2.events  # noqa: E402
from support.client import Conn, client_context  # noqa: E402
from support.dns import Dns  # noqa: E402
from support.h2 import H2Client  # noqa: E402
from support.leash import Leash  # noqa: E402
from support.origin import Origin, server_context  # noqa: E402
from support.pki import Pki  # noqa: E402

PAUSE = 0.002  # between events, so that each travels alone
NAME = "sse.test"


def event():
    return b"data: %b\n\n" % struct.pack("!d", time.perf_counter()).hex().encode()


EVENT_BYTES = len(event())


def age_of(data, now):
    return now - struct.unpack("!d", bytes.fromhex(data[6:22].decode()))[0]


class H1Sse(Origin):
    def serve_connection(self, peer):
        while True:
            peer.reader.until(b"\r\n\r\n")
            peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(self.count):
                data = event()
                peer.sock.sendall(b"%x\r\n%b\r\n" % (len(data), data))
                time.sleep(PAUSE)
            peer.sock.sendall(b"0\r\n\r\n")


class H2Sse(Origin):
    def serve_connection(self, peer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        connection.initiate_connection()
        peer.sock.sendall(connection.data_to_send())
        while data := peer.reader.some():
            for seen in connection.receive_data(data):
                if not isinstance(seen, h2.events.StreamEnded):
                    continue
                stream = seen.stream_id
                connection.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
                for _ in range(self.count):
                    connection.send_data(stream, event())
                    peer.sock.sendall(connection.data_to_send())
                    time.sleep(PAUSE)
                connection.end_stream(stream)
            peer.sock.sendall(connection.data_to_send())


def ask_h1(conn, authority):
    """(seconds to the first event, the way of each of the others)"""
    begin, ages = time.perf_counter(), []
    conn.send(f"GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n")
    conn.reader.until(b"\r\n\r\n")
    while data := conn.reader.chunk():
        now = time.perf_counter()
        ages.append(age_of(data, now) if ages else now - begin)
    conn.reader.trailers()
    return ages[0], ages[1:]


def ask_h2(client, authority):
    begin, ages = time.perf_counter(), []
    stream = client.request(authority, "/")
    answer, at = client.responses[stream], 0
    while not answer.is_ended:
        client.step()
        now = time.perf_counter()
        while len(answer.body) >= at + EVENT_BYTES:
            data = bytes(answer.body[at:at + EVENT_BYTES])
            ages.append(age_of(data, now) if ages else now - begin)
            at += EVENT_BYTES
    return ages[0], ages[1:]


def measure(conn, version, authority, turns):
    client = H2Client(conn) if version == "h2" else conn
    ask = ask_h2 if version == "h2" else ask_h1
    ask(client, authority)  # the connection, and leash's to the origin, are there from here on
    firsts, ages = [], []
    for _ in range(turns):
        first, rest = ask(client, authority)
        firsts.append(first)
        ages += rest
    conn.close()
    return firsts, ages


def row(what, seconds, direct=None):
    values = sorted(seconds)
    median, p99 = statistics.median(values) * 1e6, values[int(len(values) * 0.99)] * 1e6
    added = f"   added {median - direct:5.0f} us" if direct is not None else ""
    print(f"  {what:<34}median {median:6.0f} us   p99 {p99:6.0f} us{added}", flush=True)
    return median


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", nargs="?", type=int, default=2000)
    turns = max(1, parser.parse_args().events // 20)
    with tempfile.TemporaryDirectory(prefix="leash-bench-", dir="/dev/shm") as scratch:
        pki, dns = Pki(Path(scratch) / "pki"), Dns()
        leash = Leash(Path(scratch) / "leash", dns.address, origin_ca=pki.ca_file, mode="audit", hosts={NAME: "127.0.0.1"}).start()
        certificate = pki.issue(NAME)
        origins = {"h1": H1Sse(context=server_context(certificate)), "h2": H2Sse(context=server_context(certificate, ("h2",)))}
        alpn = {"h1": ("http/1.1",), "h2": ("h2",)}
        direct = {}
        for version, origin in origins.items():
            origin.count = 20
            conn = Conn((origin.address, origin.port))
            conn.start_tls(client_context(pki.ca_file, alpn[version]), NAME)
            print(f"{version} directly")
            firsts, ages = measure(conn, version, f"{NAME}:{origin.port}", turns)
            direct[version] = row("request to first event", firsts), row("an event's way", ages)
        for version in ("h1", "h2"):
            for to, origin in origins.items():
                print(f"{version} to leash, {to} to the origin")
                conn = leash.tunnel(NAME, origin.port, alpn=alpn[version])
                firsts, ages = measure(conn, version, f"{NAME}:{origin.port}", turns)
                # the client's half of the one and the origin's half of the other stand in both
                half = [(direct[version][at] + direct[to][at]) / 2 for at in (0, 1)]
                row("request to first event", firsts, half[0])
                row("an event's way", ages, half[1])
        leash.stop()
        for origin in origins.values():
            origin.close()
        dns.close()


if __name__ == "__main__":
    main()
