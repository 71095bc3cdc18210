"""The real binary, in a mount namespace that gives it a hosts file and a resolver of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import yaml

from .client import Conn, client_context
from .http import Reader
from .log import Log
from .wait import DEADLINE, IS_SANITIZED, wait_until

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("LEASH_BUILD", ROOT / "build"))
LEASH = os.environ.get("LEASH_BIN", str(BUILD / "leash"))
LEASHCTL = os.environ.get("LEASHCTL_BIN", str(BUILD / "leashctl"))
SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")

# Bind-mounts what leash should see, then becomes leash: the process id stays the same.
ENTER = """set -e
resolv=$(readlink -f /etc/resolv.conf)
mount --bind "$1" /etc/hosts
mount --bind "$2" "$resolv"
[ -z "$3" ] || mount -t tmpfs -o "$4" none "$3"
shift 4
exec "$@"
"""


def write_atomically(path, text):
    """A file put in place by rename counts at once."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    os.replace(temporary, path)


class Leash:
    """Policy, log and CA in `directory`. Made but not started; a test may still write files."""

    def __init__(self, directory, dns_address, origin_ca=None, mode="enforce", allow=(), block=(), hosts=None,
                 args=(), env=None, settings=None, networks=("127.0.0.0/8",), log_tmpfs=None, nofile=None,
                 command=LEASH, user=None, pass_fds=()):
        self.directory = Path(directory)
        self.policy = self.directory / "policy"
        self.ca_dir = self.directory / "ca"
        self.log_dir = self.directory / "logs"
        for made in (self.policy, self.ca_dir, self.log_dir):
            made.mkdir(parents=True, exist_ok=True)
        self.ca_dir.chmod(0o700)
        self.ca_file = str(self.ca_dir / "leash-ca-cert.pem")
        self.log_path = self.log_dir / "egress.jsonl"
        self.log = Log(self.log_path)
        self.hosts_path = self.directory / "hosts"
        self.resolv_path = self.directory / "resolv.conf"
        self.write_hosts(hosts or {})
        self.resolv_path.write_text(f"nameserver {dns_address}\noptions timeout:1 attempts:2\n")
        if mode is not None:
            self.set_mode(mode)
        self.set_allow(allow)
        self.set_block(block)
        if settings:
            (self.policy / "leash.yaml").write_text(yaml.safe_dump(settings))
        self.origin_ca = origin_ca
        self.networks = networks
        self.args = list(args)
        self.env = dict(env or {})
        self.log_tmpfs = log_tmpfs
        self.nofile = nofile
        self.command = command
        self.pass_fds = pass_fds
        self.user = user  # a number; the files are made over to it at the start
        self.process = None
        self.errors = []  # lines of stderr
        self.address = self.admin = None

    # policy

    def set_mode(self, mode):
        write_atomically(self.policy / "mode", mode + "\n")

    def set_allow(self, entries):
        write_atomically(self.policy / "enforce.yaml", yaml.safe_dump({"allow": list(entries)}))

    def set_block(self, entries):
        write_atomically(self.policy / "blocklist.yaml", yaml.safe_dump({"block": list(entries)}))

    def write_hosts(self, hosts):
        """name -> address or list of addresses. In place: it is bind-mounted."""
        lines = ["127.0.0.1 localhost"]
        for name, addresses in hosts.items():
            for address in [addresses] if isinstance(addresses, str) else addresses:
                lines.append(f"{address} {name}")
        self.hosts_path.write_text("\n".join(lines) + "\n")

    # running

    def command_line(self):
        line = [self.command, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--policy-dir", str(self.policy),
                "--log", str(self.log_path), "--ca-dir", str(self.ca_dir)]
        if self.origin_ca:
            line += ["--origin-ca", self.origin_ca]
        for network in self.networks:
            line += ["--allow-origin-network", network]
        return line + self.args

    def spawn(self):
        """Starts the process and does not wait for it to listen."""
        environment = {key: value for key, value in os.environ.items()
                       if not key.lower().endswith("_proxy") and not key.startswith("LEASH_")}
        environment.update(self.env)
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
        tmpfs = [str(self.log_dir), self.log_tmpfs] if self.log_tmpfs else ["", ""]
        command = unshare + ["sh", "-c", ENTER, "sh", str(self.hosts_path), str(self.resolv_path)] + tmpfs
        if self.user is not None:
            for path in (self.directory, *self.directory.rglob("*")):
                os.chown(path, self.user, self.user)
            command += ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "--no-new-privs"]
        if self.nofile:
            command += ["prlimit", f"--nofile={self.nofile}"]
        self.errors = []
        self.address = self.admin = None
        self.process = subprocess.Popen(command + self.command_line(), env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=self.pass_fds)
        self._drain = threading.Thread(target=self._read_errors, args=(self.process.stderr,), daemon=True)
        self._drain.start()
        return self

    def start(self):
        self.spawn()
        wait_until(lambda: (self.address and self.admin) or self.process.poll() is not None, self._why)
        self._drain.join(0.5 if self.process.poll() is not None else 0)
        if not (self.address and self.admin):
            code, self.process = self.process.poll(), None
            raise AssertionError(f"leash did not start (exit code {code}): {self.stderr()}")
        if self.log_tmpfs:  # a mount that only leash's namespace has
            self.log = Log(f"/proc/{self.pid}/root{self.log_path}")
        return self

    def _why(self):
        return f"leash listens; it said: {self.stderr()}"

    def _read_errors(self, stream):
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.errors.append(line)
            found = re.search(r"listening on (\[?[\w.:]+?\]?):(\d+)", line)
            if found:
                self.address = (found.group(1).strip("[]"), int(found.group(2)))
            found = re.search(r"admin on (\[?[\w.:]+?\]?):(\d+)", line)
            if found:
                self.admin = (found.group(1).strip("[]"), int(found.group(2)))

    def stderr(self):
        return "\n".join(self.errors)

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def wait_for_exit(self, deadline=DEADLINE):
        code = self.process.wait(deadline)
        self._drain.join(DEADLINE)
        return code

    def stop(self, deadline=DEADLINE + 35):
        """Ends it politely; it must leave with 0 and without a sanitizer's report."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.wait_for_exit(deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"leash did not end on SIGTERM; it said: {self.stderr()[-2000:]}") from None
        finally:
            process, self.process = self.process, None
            process.stderr.close()
        assert code == 0, f"leash ended with {code}: {self.stderr()[-6000:]}"
        assert not SANITIZER_REPORT.search(self.stderr()), self.stderr()[-6000:]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._drain.join(DEADLINE)
        self.process = None

    def signal(self, number):
        self.process.send_signal(number)

    # looking at it

    def status_kb(self, key):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise KeyError(key)

    @property
    def rss_mib(self):
        return self.status_kb("VmRSS") / 1024

    @property
    def peak_mib(self):
        return self.status_kb("VmHWM") / 1024

    def admin_get(self, path):
        """(status, body text) of the admin listener."""
        with socket.create_connection(self.admin, DEADLINE) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = Reader(lambda: sock.recv(65536)).response()
        return answer.status, answer.body.decode()

    def metrics(self):
        """Each sample of /metrics as it is written there, `name{label="value"}`, with its number."""
        status, text = self.admin_get("/metrics")
        assert status == 200
        samples = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    # using it

    @property
    def url(self):
        return f"http://{self.address[0]}:{self.address[1]}"

    def connect(self, source=None):
        """A connection to the proxy."""
        return Conn(self.address, source)

    def context(self, alpn=("http/1.1",), checks_name=True):
        """TLS as an agent that trusts leash's CA and nothing else."""
        return client_context(self.ca_file, alpn, checks_name)

    def tunnel(self, host, port, sni=None, alpn=("http/1.1",), source=None):
        """CONNECT, then TLS with the host as SNI."""
        conn = self.connect(source)
        answer = conn.connect(f"{host}:{port}")
        assert answer.status == 200, answer
        return conn.start_tls(self.context(alpn, checks_name=sni is None), sni or host)

    def client_env(self):
        """The environment of an agent's program."""
        env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        env.update({name: self.url for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")})
        env.update({name: self.ca_file for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
                                                    "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO")})
        return env


def run_leash(args, env=None, deadline=DEADLINE):
    """Runs the binary to its end: (exit code, stdout, stderr)."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LEASH_")}
    environment.update(env or {})
    done = subprocess.run([LEASH] + args, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=deadline)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def which(program):
    return shutil.which(program)


__all__ = ["IS_SANITIZED", "LEASH", "LEASHCTL", "Leash", "run_leash", "which", "write_atomically"]
