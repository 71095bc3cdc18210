"""certs/leash-doctor.sh on agents' machines of our own: one that is as it should be, and those that are not."""

import shutil
import socket
import subprocess
import threading

import pytest

from support.dns import Dns
from support.leash import ROOT, Leash
from support.origin import Origin
from support.sandbox import Sandbox, needs_root
from support.wait import IS_SANITIZED

DOCTOR = str(ROOT / "certs" / "leash-doctor.sh")
INSTALL = str(ROOT / "certs" / "install-ca.sh")
PROXY = "10.200.0.1"  # leash
INSIDE = "10.200.0.2"  # the agent
OUTSIDE = "203.0.113.10"  # the internet, as far as anybody here knows
OUTSIDE6 = "2001:db8:ffff::10"
HOST = "allow.test"
ALL = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")

pytestmark = [needs_root, pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not here"),
              pytest.mark.skipif(IS_SANITIZED, reason="tests a shell script; once is enough")]


class Internet:
    """A network with leash and all that agents must not reach: an origin, a name server, ports that answer."""

    def __init__(self, pki, directory):
        self.sandbox = Sandbox(network=True)
        self.agents = []
        try:
            self.sandbox.thread(lambda: self._open(pki, directory))
        except BaseException:
            self.close()
            raise

    def _open(self, pki, directory):
        for address in (f"{OUTSIDE}/32", f"{OUTSIDE6}/128"):
            subprocess.run(["ip", "address", "add", address, "dev", "lo", "nodad"], check=True)
        subprocess.run(["ip", "link", "add", "agents", "type", "bridge"], check=True)
        for address in (f"{PROXY}/24", "2001:db8::1/64"):
            subprocess.run(["ip", "address", "add", address, "dev", "agents", "nodad"], check=True)
        subprocess.run(["ip", "link", "set", "agents", "up"], check=True)
        self.listeners = []
        for family, address in ((socket.AF_INET, OUTSIDE), (socket.AF_INET6, OUTSIDE6)):
            listener = socket.create_server((address, 443), family=family)
            self.listeners.append(listener)
            answering = socket.socket(family, socket.SOCK_DGRAM)
            answering.bind((address, 53))
            self.listeners.append(answering)
            threading.Thread(target=self._echo, args=(answering,), daemon=True).start()
        # allow.test is at an address that the agent reaches only where the direct way is open.
        self.origin = Origin(pki.issue(HOST), address=OUTSIDE)
        self.other = Origin(pki.issue(HOST))
        self.dns = Dns()
        self.dns.records = {HOST: [OUTSIDE], "example.com": [OUTSIDE]}
        self.leash = Leash(directory, self.dns.address, origin_ca=pki.ca_file, networks=[f"{OUTSIDE}/32"],
                           allow=[{"host": HOST, "ports": [self.origin.port]}], args=["--listen", f"{PROXY}:8080"])
        self.leash.start()

    @staticmethod
    def _echo(sock):
        try:
            while True:
                data, peer = sock.recvfrom(4096)
                sock.sendto(data, peer)
        except OSError:
            pass

    def close(self):
        if hasattr(self, "leash"):
            self.leash.stop()
        for made in (*getattr(self, "listeners", ()), getattr(self, "origin", None), getattr(self, "other", None),
                     getattr(self, "dns", None)):
            if made is not None:
                made.close()
        self.sandbox.close()


@pytest.fixture(scope="module")
def internet(pki, tmp_path_factory):
    made = Internet(pki, tmp_path_factory.mktemp("doctor"))
    yield made
    made.close()


class Agent:
    """An agent's machine: one link to leash's network, leash's CA in its system store, no name server that answers."""

    def __init__(self, internet):
        self.internet = internet
        self.url = f"https://{HOST}:{internet.origin.port}/"
        self.sandbox = Sandbox(("/etc", "/usr/local", "/var"), network=True, hides=("keytool", "java", "go"))
        keeper = str(self.sandbox.keeper.pid)
        link = f"agent{keeper}"[:15]
        world = internet.sandbox.enter
        subprocess.run(world + ["ip", "link", "add", link, "master", "agents", "up", "type", "veth", "peer", "name", "eth0", "netns", keeper],
                       check=True)
        for words in (["address", "add", f"{INSIDE}/24", "dev", "eth0"], ["address", "add", "2001:db8::2/64", "dev", "eth0", "nodad"],
                      ["link", "set", "eth0", "up"]):
            self.sandbox.check("ip", *words)
        self.sandbox.make_small_store()
        self.trust()
        self.sandbox.check("sh", "-c", f"echo 'nameserver 127.0.0.9\noptions timeout:1 attempts:1' > /etc/resolv.conf; "
                           f"echo '127.0.0.1 localhost\n{OUTSIDE} {HOST}' > /etc/hosts")

    def trust(self):
        self.sandbox.check("sh", INSTALL, self.internet.leash.ca_file)

    def open_the_way(self):
        self.sandbox.check("ip", "route", "add", "default", "via", PROXY)
        self.sandbox.check("ip", "-6", "route", "add", "default", "via", "2001:db8::1")

    def close_the_way(self):
        self.sandbox.check("ip", "route", "del", "default")
        self.sandbox.check("ip", "-6", "route", "del", "default")

    def good_environment(self):
        env = {name: f"http://{PROXY}:8080" for name in ALL}
        env.update(NO_PROXY="localhost,127.0.0.1", no_proxy="localhost,127.0.0.1", NODE_EXTRA_CA_CERTS=self.internet.leash.ca_file)
        return env

    def doctor(self, env, *words):
        """(exit code, findings, whole output)"""
        done = self.sandbox.run(["sh", DOCTOR, "--timeout", "20", "--tcp", f"{OUTSIDE}:443", "--tcp", f"[{OUTSIDE6}]:443", "--udp",
                                 f"{OUTSIDE}:53", *words, self.url], env)
        assert done.stderr == "", done.stderr
        return done.returncode, [line[9:] for line in done.stdout.splitlines() if line.startswith("FINDING")], done.stdout


@pytest.fixture(scope="module")
def agent(internet):
    if shutil.which("update-ca-certificates") is None:
        pytest.skip("update-ca-certificates is not here")
    made = Agent(internet)
    yield made
    made.sandbox.close()


def about(findings, *words):
    return [finding for finding in findings if all(word in finding for word in words)]


def test_an_agent_as_it_should_be_has_no_findings(agent):
    code, findings, out = agent.doctor(agent.good_environment(), "--proxy", f"http://{PROXY}:8080")
    assert (code, findings) == (0, []), out
    for runtime in ("curl", "wget", "python3 (ssl)", "python3 (requests)", "node", "git"):
        assert f"ok       {runtime}: through leash, trusts it" in out, out
    assert "no way around leash" in out and "signs with" in out, out


def test_no_proxy_variables(agent):
    env = agent.good_environment()
    for name in ALL:
        del env[name]
    code, findings, out = agent.doctor(env, "--no-around", "--proxy", f"http://{PROXY}:8080")
    assert code == 1
    assert about(findings, "neither HTTPS_PROXY nor https_proxy is set"), out
    assert about(findings, "curl does not go through leash with the variables as they are"), out


def test_a_proxy_that_is_not_there(agent):
    env = dict(agent.good_environment(), **{name: f"http://{PROXY}:8099" for name in ALL})
    code, findings, out = agent.doctor(env, "--no-around", "--no-runtimes")
    assert code == 1
    assert about(findings, f"{PROXY}:8099 does not take connections"), out
    code, findings, out = agent.doctor(env, "--no-around", "--no-runtimes", "--proxy", f"http://{PROXY}:8080")
    assert code == 1
    assert about(findings, f"HTTPS_PROXY names {PROXY}:8099, leash is {PROXY}:8080"), out


class OpenProxy:
    """Takes any CONNECT and relays to the host that it names."""

    def __init__(self):
        self.listener = socket.create_server((PROXY, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    @staticmethod
    def _serve(near):
        head = b""
        while b"\r\n\r\n" not in head:
            head += near.recv(4096)
        port = int(head.split()[1].decode().rsplit(":", 1)[1])
        far = socket.create_connection((OUTSIDE, port))
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        def pump(source, to):
            try:
                while data := source.recv(65536):
                    to.sendall(data)
                to.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        back = threading.Thread(target=pump, args=(far, near), daemon=True)
        back.start()
        pump(near, far)
        back.join()
        near.close()
        far.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_another_proxy_than_leash(agent, internet):
    """It takes CONNECT and intercepts nothing; what it shows was not signed by leash."""
    proxy = internet.sandbox.thread(OpenProxy)
    try:
        env = dict(agent.good_environment(), **{name: f"http://{PROXY}:{proxy.port}" for name in ALL})
        code, findings, out = agent.doctor(env, "--no-around", "--no-runtimes")
    finally:
        proxy.close()
    assert code == 1
    assert about(findings, "another proxy, or another CA"), out


def test_the_ca_is_missing_for_one_runtime(agent):
    env = agent.good_environment()
    del env["NODE_EXTRA_CA_CERTS"]
    code, findings, out = agent.doctor(env, "--no-around")
    assert code == 1
    assert about(findings, "node does not trust leash's CA"), out
    assert "export NODE_EXTRA_CA_CERTS=" in out
    assert len(findings) == len(about(findings, "node")), out


def test_the_ca_is_missing_everywhere(agent):
    env = agent.good_environment()
    del env["NODE_EXTRA_CA_CERTS"]
    agent.sandbox.check("sh", INSTALL, "--uninstall")
    try:
        code, findings, out = agent.doctor(env, "--no-around")
    finally:
        agent.trust()
    assert code == 1
    for runtime in ("curl", "wget", "python3 (ssl)", "python3 (requests)", "node", "git"):
        assert about(findings, f"{runtime} does not trust leash's CA"), (runtime, out)


@pytest.mark.parametrize("entry", ["*", "test", ".test", "allow.test", ".com", "0.0.0.0/0", "10.0.0.0/7"])
def test_no_proxy_is_too_wide(agent, entry):
    env = dict(agent.good_environment(), NO_PROXY=f"localhost,{entry}", no_proxy=f"localhost,{entry}")
    code, findings, out = agent.doctor(env, "--no-around", "--no-runtimes")
    assert code == 1
    assert about(findings, "NO_PROXY", entry), out


def test_no_proxy_with_names_of_inside_is_fine(agent):
    inside = "localhost,127.0.0.0/8,::1,10.0.0.0/8,192.168.1.1,172.16.0.0/12,fd00::/8,db.internal,.svc,printer.local"
    env = dict(agent.good_environment(), NO_PROXY=inside, no_proxy=inside)
    code, findings, out = agent.doctor(env, "--no-around", "--no-runtimes")
    assert (code, findings) == (0, []), out


def test_upper_and_lower_case_differ(agent):
    env = dict(agent.good_environment(), https_proxy=f"http://{PROXY}:3128")
    code, findings, out = agent.doctor(env, "--no-around", "--no-runtimes")
    assert code == 1
    assert about(findings, "HTTPS_PROXY", "https_proxy", "differ"), out
    del env["https_proxy"]
    code, findings, out = agent.doctor(env, "--no-around", "--no-runtimes")
    assert code == 1
    assert about(findings, "HTTPS_PROXY is set and https_proxy is not"), out


def test_the_direct_way_is_open(agent, internet):
    agent.open_the_way()
    internet.sandbox.check("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    agent.sandbox.check("sh", "-c", f"echo 'nameserver {OUTSIDE}' > /etc/resolv.conf")
    try:
        code, findings, out = agent.doctor(agent.good_environment(), "--no-runtimes", "--dns-name", "localhost")
    finally:
        agent.close_the_way()
        agent.sandbox.check("sh", "-c", "echo 'nameserver 127.0.0.9\noptions timeout:1 attempts:1' > /etc/resolv.conf")
    assert code == 1
    assert about(findings, f"TCP goes around leash: {OUTSIDE}:443"), out
    assert about(findings, "IPv6 goes around leash"), out
    assert about(findings, f"UDP goes around leash: {OUTSIDE}:53"), out
    assert about(findings, "the name server resolves localhost"), out


def test_a_runtime_that_ignores_the_proxy_is_told_from_one_that_uses_it(agent):
    """curl has a setting of its own; the way is open, so that it gets there."""
    (agent.sandbox.home / ".curlrc").write_text('noproxy = "*"\ninsecure\n')
    agent.open_the_way()
    try:
        code, findings, out = agent.doctor(agent.good_environment(), "--no-around")
    finally:
        agent.close_the_way()
        (agent.sandbox.home / ".curlrc").unlink()
    assert code == 1
    assert about(findings, "curl ignores the proxy"), out
    assert not about(findings, "wget"), out


def test_a_url_that_the_policy_refuses_is_called_so(agent):
    done = agent.sandbox.run(["sh", DOCTOR, "--no-around", "https://deny.test/"], agent.good_environment())
    assert done.returncode == 1
    for runtime in ("curl", "wget", "python3 (ssl)", "python3 (requests)", "node", "git"):
        assert f"{runtime}: leash refuses deny.test" in done.stdout, done.stdout


@pytest.mark.parametrize("words", [[], ["http://allow.test/"], ["https://"], ["https://a b/"], ["https://u@h/"], ["--nonsense", "https://a/"],
                                   ["--timeout", "x", "https://a/"], ["--proxy"], ["https://a/", "https://b/"],
                                   ["--ca-file", "/nowhere/ca.pem", "--no-around", "https://a/"]], ids=" ".join)
def test_wrong_use_is_2(words):
    done = subprocess.run(["sh", DOCTOR, *words], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stdout
    assert "leash-doctor.sh:" in done.stderr
