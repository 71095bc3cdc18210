"""The fence of setup.sh in traffic: an agent's host, leash's host, the internet, three networks that know each other only by cable.

leash's host is a Debian that boots, set up by setup.sh; forwarding is on, both sides have routes through it, and so everything would
pass it by, if it were not for the rules. The test looks at that, too: before they are there and after they are gone."""

import json
import re
import subprocess
from contextlib import contextmanager

import pytest

from machine import Machine, Network
from support.leash import ROOT
from support.wait import wait_until

INTERNET = {4: "203.0.113.10", 6: "2001:db8:113::10"}
AGENT = {4: "10.10.10.7", 6: "fd00:10::7"}
LEASH = {4: "10.10.10.1", 6: "fd00:10::1"}
OUTSIDE = {4: "203.0.113.1", 6: "2001:db8:113::1"}  # leash's side of the cable to the internet
MANAGER = {4: "192.0.2.9", 6: "2001:db8:99::9"}

# An HTTPS origin, and somebody who answers to everything else: TCP 7777, UDP 7777 and 53.
SERVERS = r"""
import http.server, socket, ssl, sys, threading

class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *words):
        pass

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
https = Server(("::", 443), Origin)
https.socket = context.wrap_socket(https.socket, server_side=True)
threading.Thread(target=https.serve_forever, daemon=True).start()
for port in (53, 7777, 22):
    threading.Thread(target=Server(("::", port), Origin).serve_forever, daemon=True).start()

def answer(port):
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    while True:
        data, peer = sock.recvfrom(2048)
        sock.sendto(data, peer)

for port in (53, 7777):
    threading.Thread(target=answer, args=(port,), daemon=True).start()
print("up", flush=True)
sys.stdin.read()
"""

# Tries ways, all at once: argv[1] is a list of [kind, address, port, source or null]; prints a list of whether something came back.
PROBE = r"""
import concurrent.futures, json, os, socket, struct, sys

def echo_request(family, ident):
    body = struct.pack("!BBHHH", 128 if family == socket.AF_INET6 else 8, 0, 0, ident, 1) + b"leash-probe-data"
    total = sum(struct.unpack("!12H", body))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return body[:2] + struct.pack("!H", ~total & 0xffff) + body[4:]

def ping(sock, family, address, ident):
    sock.sendto(echo_request(family, ident), (address, 0))
    kind, skip = (129, 0) if family == socket.AF_INET6 else (0, 20)
    while True:
        data, peer = sock.recvfrom(2048)
        if peer[0] == address and data[skip] == kind and data[skip + 4:skip + 6] == struct.pack("!H", ident):
            return True

def is_open(way):
    index, (kind, address, port, source) = way
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if kind == "icmp":
        sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP)
    else:
        sock = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    with sock:
        sock.settimeout(2.0)
        try:
            if source:
                sock.bind((source, 0))
            if kind == "icmp":
                return ping(sock, family, address, index + 1)
            sock.connect((address, port))
            if kind == "udp":
                sock.send(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04leak\x04test\x00\x00\x01\x00\x01")
                return bool(sock.recv(2048))
            return True
        except OSError:
            return False

ways = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    print(json.dumps(list(pool.map(is_open, enumerate(ways)))))
"""


class Place:
    """The three hosts and the cables between them, with a manager's host on the internet's side."""

    def __init__(self, debian, pki, directory):
        self.agent, self.leash, self.internet = Network("agent"), Network("leash"), Network("internet")
        self.cable(self.agent, "eth0", self.leash, "agents")
        self.cable(self.leash, "uplink", self.internet, "eth0")
        for version, size in ((4, 24), (6, 64)):
            self.address(self.agent, "eth0", AGENT[version], size)
            self.address(self.leash, "agents", LEASH[version], size)
            self.address(self.leash, "uplink", OUTSIDE[version], size)
            self.address(self.internet, "eth0", INTERNET[version], size)
            self.address(self.internet, "lo", MANAGER[version], 32 if version == 4 else 128)
            self.agent.ip("route", "add", "default", "via", LEASH[version])
            self.leash.ip("route", "add", "default", "via", INTERNET[version])
            self.internet.ip("route", "add", "default", "via", OUTSIDE[version])
        self.leash.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", check=True)
        (directory / "servers.py").write_text(SERVERS)
        (directory / "probe.py").write_text(PROBE)
        self.directory = directory
        self.certificate = pki.issue("origin.test")
        self.servers = subprocess.Popen(self.internet.command("/usr/bin/python3", directory / "servers.py", self.certificate.path),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.servers.stdout.readline() == b"up\n"
        self.machine = Machine(debian, self.leash)
        self.machine.boot()
        self.machine.write("/etc/origin-ca.pem", open(pki.ca_file).read())
        self.machine.write("/etc/default/leash", "LEASH_ORIGIN_CA=/etc/origin-ca.pem\nLEASH_ORIGIN_NETWORKS=203.0.113.0/24,2001:db8:113::/64\n")
        self.machine.write("/etc/hosts", f"127.0.0.1 localhost\n{INTERNET[4]} origin.test\n{INTERNET[6]} origin.test\n")

    @staticmethod
    def cable(here, name, there, other):
        here.ip("link", "add", name, "type", "veth", "peer", "name", other, "netns", there.name)
        here.ip("link", "set", name, "up")
        there.ip("link", "set", other, "up")

    @staticmethod
    def address(network, name, address, size):
        network.ip("addr", "add", f"{address}/{size}", "dev", name, *(["nodad"] if ":" in address else []))

    def open_ways(self, network, ways):
        """Those of the ways (kind, address, port[, source]) on which something comes back."""
        full = [list(way) + [None] * (4 - len(way)) for way in ways]
        said = network.run("/usr/bin/python3", self.directory / "probe.py", json.dumps(full), check=True).stdout
        return {tuple(way) for way, is_open in zip(ways, json.loads(said)) if is_open}

    def check_ways(self, network, ways, expected):
        """Of the ways, just the expected ones are open. A busy machine may lose a packet or be slow: what is missing is tried again;
        what came through a closed way came through."""
        found = self.open_ways(network, ways)
        assert found <= expected, found - expected
        missing = expected - found

        def all_there():
            missing.difference_update(self.open_ways(network, missing))
            return not missing
        wait_until(all_there, lambda: f"open: {missing}")

    def listen(self, network, *ports):
        return listener(network, ports)

    def close(self):
        self.machine.close()
        self.servers.stdin.close()
        self.servers.wait()
        for network in (self.agent, self.leash, self.internet):
            network.close()


@contextmanager
def listener(network, ports):
    """Somebody who accepts on these TCP ports of a network's every address, and answers UDP there."""
    code = ("import socket,sys,threading\n"
            "def echo(u):\n"
            " while True:\n"
            "  d,p=u.recvfrom(2048); u.sendto(d,p)\n"
            "for p in sys.argv[1:]:\n"
            " s=socket.create_server(('::',int(p)),family=socket.AF_INET6,dualstack_ipv6=True)\n"
            " u=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); u.setsockopt(socket.IPPROTO_IPV6,socket.IPV6_V6ONLY,0); u.bind(('::',int(p)))\n"
            " globals()['k'+p]=s; threading.Thread(target=echo,args=(u,),daemon=True).start()\n"
            "print('up',flush=True); sys.stdin.read()\n")
    made = subprocess.Popen(network.command("/usr/bin/python3", "-c", code, *ports), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert made.stdout.readline() == b"up\n"
    try:
        yield
    finally:
        made.stdin.close()
        made.wait()


@pytest.fixture(scope="module")
def place(debian, pki, tmp_path_factory):
    made = Place(debian, pki, tmp_path_factory.mktemp("fence"))
    try:
        yield made
    finally:
        made.close()


WAYS = [("tcp", 443), ("tcp", 7777), ("tcp", 53), ("tcp", 22), ("udp", 7777), ("udp", 53), ("icmp", 0)]


def all_ways(*hosts):
    """Each way to each of the hosts, over IPv4 and IPv6."""
    return {(kind, host[version], port) for kind, port in WAYS for host in hosts for version in (4, 6)}


def test_an_agent_reaches_leash_and_nothing_else(place):
    # Without the rules all ways are open: what follows proves something. (The manager's host answers UDP from its other address.)
    ways = all_ways(INTERNET) | {way for way in all_ways(MANAGER) if way[0] != "udp"}
    place.check_ways(place.agent, ways, ways)

    said = place.machine.setup("--agent-network", "10.10.10.0/24", "--agent-network", "fd00:10::/64", "--management-network", "192.0.2.0/24",
                               "--management-network", "2001:db8:99::/64")
    assert "put the firewall in force" in said
    assert "agent_interfaces = agents\n" in place.machine.read("/etc/leash/setup.conf")  # found by itself
    # What conntrack knows from before is no way either.
    assert place.open_ways(place.agent, ways) == set()

    # Whatever listens there, on both families.
    place.machine.run("systemctl", "stop", "leash-console")
    ports = (22, 53, 443, 7777, 8081, 8090)
    with place.listen(place.leash, *ports):
        here = {("tcp", host[version], port) for host in (LEASH, OUTSIDE) for version in (4, 6) for port in ports}
        here |= {("udp", host, port) for _, host, port in here} | {("icmp", host, 0) for _, host, _ in here}
        proxy = {("tcp", LEASH[version], 8080) for version in (4, 6)}
        place.check_ways(place.agent, here | proxy, proxy)
        # The console is for management, the proxy for agents; the rest of leash's host is its owner's business.
        tried = {("tcp", OUTSIDE[version], port, host[version]) for version in (4, 6) for port in (22, 8080, 8090) for host in (MANAGER, INTERNET)}
        place.check_ways(place.internet, tried, {way for way in tried if way[2] == 22 or (way[2] == 8090 and way[3] in MANAGER.values())})


def test_link_local_addresses_are_no_way_around(place):
    """fe80:: is in no network that anybody lists."""
    said = place.leash.run("ip", "-6", "-o", "addr", "show", "dev", "agents", "scope", "link").stdout
    link_local = re.search(r"(fe80:\S+)/", said).group(1)
    with place.listen(place.leash, 22):
        for port in (22, 8080):
            probe = place.agent.run("/usr/bin/python3", "-c", "import socket,sys; s=socket.socket(socket.AF_INET6); s.settimeout(1); "
                                    f"s.connect(('{link_local}', {port}, 0, socket.if_nametoindex('eth0'))); print('yes')")
            assert "yes" not in probe.stdout, port


def test_a_forged_source_goes_nowhere(place):
    """An agent that takes an address of nobody's gets no answers, but a datagram needs none: not one arrives on the other side."""
    forged = {4: "198.51.100.66", 6: "2001:db8:66::66"}
    place.agent.ip("addr", "add", f"{forged[4]}/32", "dev", "eth0")
    place.agent.ip("addr", "add", f"{forged[6]}/128", "dev", "eth0", "nodad")
    watch = place.directory / "watch.nft"
    watch.write_text("table inet watch {\n\tchain input {\n\t\ttype filter hook input priority 0\n"
                     f"\t\tip saddr {forged[4]} counter\n\t\tip6 saddr {forged[6]} counter\n\t}}\n}}\n")
    place.internet.run("nft", "-f", watch, check=True)

    def arrived():
        said = place.internet.run("nft", "-j", "list", "table", "inet", "watch", check=True).stdout
        return [int(count) for count in re.findall(r'"packets": (\d+)', said)]

    ways = {(kind, INTERNET[version], port, source) for kind, port in WAYS for version, source in forged.items()}
    assert place.open_ways(place.agent, ways) == set()
    assert arrived() == [0, 0]
    # The watch sees what arrives: without the rules it does.
    place.machine.check("nft", "delete", "table", "inet", "leash")
    try:
        wait_until(lambda: not place.open_ways(place.agent, ways) and all(count > 0 for count in arrived()), lambda: f"arrival: {arrived()}")
    finally:
        place.agent.ip("addr", "del", f"{forged[4]}/32", "dev", "eth0")
        place.agent.ip("addr", "del", f"{forged[6]}/128", "dev", "eth0")
        place.machine.check("systemctl", "reload", "leash-firewall")


def test_management_reaches_agents_and_gets_answers(place):
    with place.listen(place.agent, 2222):
        tried = {("tcp", AGENT[version], 2222, host[version]) for version in (4, 6) for host in (MANAGER, INTERNET)}
        place.check_ways(place.internet, tried, {way for way in tried if way[3] in MANAGER.values()})


def test_through_leash_the_agent_goes_out(place):
    place.machine.check("leashctl", "allow", "origin.test")
    ca = place.directory / "ca.pem"
    ca.write_text(place.machine.check("leashctl", "ca", "--print"))
    for version in (4, 6):
        proxy = f"http://[{LEASH[6]}]:8080" if version == 6 else f"http://{LEASH[4]}:8080"
        done = place.agent.run("curl", "-sS", "--cacert", ca, "-x", proxy, "https://origin.test/")
        assert done.stdout == "hello", (done.stderr, place.machine.journal())
        refused = place.agent.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_connect}", "--cacert", ca, "-x", proxy, "https://other.test/")
        assert refused.stdout == "403"
        # leash is no way to the console or to itself.
        for target in (f"{LEASH[4]}:8090", f"[{LEASH[6]}]:22", "127.0.0.1:8090"):
            refused = place.agent.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-x", proxy, f"http://{target}/")
            assert refused.stdout == "403"
    events = place.machine.check("leashctl", "audit", "--event", "allowed")
    assert AGENT[4] in events and AGENT[6] in events


def test_the_agents_doctor_finds_no_way_around(place):
    """Our own tool, run where the agent runs, says the same."""
    ca = place.directory / "ca.pem"
    ca.write_text(place.machine.check("leashctl", "ca", "--print"))
    ways = [word for host in (INTERNET[4], f"[{INTERNET[6]}]") for word in ("--tcp", f"{host}:7777", "--udp", f"{host}:53")]
    done = place.agent.run("sh", ROOT / "certs" / "leash-doctor.sh", "--proxy", f"http://{LEASH[4]}:8080", "--ca-file", ca, "--timeout", "5",
                           "--no-runtimes", *ways, "https://origin.test/", timeout=120)
    assert f"leash: {LEASH[4]}:8080 takes connections" in done.stdout and "no way around leash: tried" in done.stdout, done.stdout


def test_removed_it_is_open_again(place):
    """The other half of the proof; and nobody is left fenced in."""
    place.machine.uninstall("--purge")
    place.check_ways(place.agent, all_ways(INTERNET), all_ways(INTERNET))
