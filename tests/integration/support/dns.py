"""A name server of our own, which remembers what it was asked."""

import ipaddress
import os
import socket
import struct
import threading


class Cname(str):
    """In `records`: the name is another name for this one."""


class Dns:
    """Answers A and AAAA from `records` (name -> list of addresses, a Cname, or a function of the query's number giving a
    list); everything else does not exist. Port 53, since resolv.conf can name no other, on a loopback address of its own."""

    def __init__(self):
        self.records = {}
        self.ttls = {}  # name -> seconds; 0 for the others, which are then kept for a second
        self.queries = []
        self.counts = {}
        self.lock = threading.Lock()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for step in range(200):
            self.address = f"127.53.{(os.getpid() + step) % 250}.{1 + step}"
            try:
                self.socket.bind((self.address, 53))
                break
            except OSError as error:
                last = error
        else:
            raise last
        threading.Thread(target=self._serve, daemon=True).start()

    def asked(self, name):
        with self.lock:
            return [query for query in self.queries if query[0] == name]

    def _serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
                answer = self._answer(packet)
                if answer:
                    self.socket.sendto(answer, peer)
            except OSError:
                return

    def _answer(self, packet):
        identity, _, questions = struct.unpack("!HHH", packet[:6])
        if questions != 1:
            return None
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]])
            at += 1 + packet[at]
        question = packet[12:at + 5]
        kind = struct.unpack("!H", packet[at + 1:at + 3])[0]
        name = b".".join(labels).decode("latin-1").lower()
        with self.lock:
            self.queries.append((name, kind))
            number = self.counts[(name, kind)] = self.counts.get((name, kind), 0) + 1
            known = self.records.get(name)
            ttl = self.ttls.get(name, 0)
        if known is None:
            return struct.pack("!HHHHHH", identity, 0x8183, 1, 0, 0, 0) + question
        addresses = known(number) if callable(known) else known
        if addresses is None:
            return None  # silence
        data = b""
        count = 0
        owner = b"\xc0\x0c"
        while isinstance(known, Cname):
            alias = b"".join(bytes([len(label)]) + label.encode() for label in known.split(".")) + b"\0"
            data += owner + struct.pack("!HHIH", 5, 1, ttl, len(alias)) + alias
            count += 1
            owner = alias
            known = self.records.get(known, [])
            addresses = known
        for text in addresses:
            ip = ipaddress.ip_address(text)
            if (kind, ip.version) in ((1, 4), (28, 6)):
                count += 1
                data += owner + struct.pack("!HHIH", kind, 1, ttl, len(ip.packed)) + ip.packed
        return struct.pack("!HHHHHH", identity, 0x8180, 1, count, 0, 0) + question + data

    def close(self):
        self.socket.close()
