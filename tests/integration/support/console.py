"""The real leash-console beside a leash, or beside a log that a test writes."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path

from .leash import BUILD, SANITIZER_REPORT
from .wait import DEADLINE, wait_until

CONSOLE = os.environ.get("LEASH_CONSOLE_BIN", str(BUILD / "leash-console"))


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Console:
    """Made but not started. `policy`, `log` and `ca_dir` are a leash's, or paths of the test's own."""

    def __init__(self, directory, policy, log, ca_dir="/nonexistent", admin="off", args=(), env=None,
                 listen=("127.0.0.1:0",)):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.state = self.directory / "state"
        self.policy = Path(policy)
        self.log = Path(log)
        self.ca_dir = ca_dir
        self.admin = admin
        self.listen = listen
        self.args = list(args)
        self.env = dict(env or {})
        self.process = None
        self.errors = []
        self.addresses = []

    def start(self):
        environment = {key: value for key, value in os.environ.items()
                       if not key.lower().endswith("_proxy") and not key.startswith("LEASH_") and key != "PORT"}
        environment.update(self.env)
        command = [CONSOLE, "--policy-dir", str(self.policy), "--log", str(self.log), "--state-dir", str(self.state),
                   "--admin", self.admin, "--ca-dir", str(self.ca_dir)]
        for address in self.listen:
            command += ["--listen", address]
        self.errors = []
        self.addresses = []
        self.process = subprocess.Popen(command + self.args, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._drain = threading.Thread(target=self._read_errors, args=(self.process.stderr,), daemon=True)
        self._drain.start()
        wait_until(lambda: len(self.addresses) == len(self.listen) or self.process.poll() is not None,
                   lambda: f"the console listens; it said: {self.stderr()}")
        if self.process.poll() is not None:
            self._drain.join(DEADLINE)
            raise AssertionError(f"the console did not start: {self.stderr()}")
        return self

    def _read_errors(self, stream):
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.errors.append(line)
            found = re.search(r"console on https?://\[?([\w.:]+?)\]?:(\d+)$", line)
            if found:
                self.addresses.append((found.group(1), int(found.group(2))))

    def stderr(self):
        return "\n".join(self.errors)

    @property
    def address(self):
        return self.addresses[0]

    @property
    def port(self):
        return self.addresses[0][1]

    @property
    def origin(self):
        return f"http://{self.address[0]}:{self.port}"

    def token(self, role="operator"):
        return (self.state / f"{role}.token").read_text().strip()

    def stop(self):
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the console did not end: {self.stderr()[-2000:]}") from None
        self._drain.join(DEADLINE)
        assert code == 0, f"the console ended with {code}: {self.stderr()[-4000:]}"
        assert not SANITIZER_REPORT.search(self.stderr()), self.stderr()[-6000:]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._drain.join(DEADLINE)
        self.process = None

    def rss_mib(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise KeyError("VmHWM")

    # asking it

    def connection(self, cafile=None):
        if cafile is None:
            return http.client.HTTPConnection(self.address[0], self.port, timeout=DEADLINE)
        context = ssl.create_default_context(cafile=cafile)
        return http.client.HTTPSConnection(self.address[0], self.port, timeout=DEADLINE, context=context)

    def request(self, method, path, body=None, headers=None, role="operator", source=None, cafile=None):
        """With the role's bearer token; role None: with none."""
        sent = {}
        if role is not None:
            sent["Authorization"] = f"Bearer {self.token(role)}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        connection = self.connection(cafile)
        if source is not None:
            connection.source_address = (source, 0)
        try:
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body={} if body is None else body, **options)

    def ask(self, path, **options):
        """The JSON of a 200."""
        answer = self.get(path, **options)
        assert answer.status == 200, answer
        return answer.json()

    def sign_in(self, role="operator", token=None, **options):
        return self.request("POST", "/api/session", {"token": token or self.token(role)}, role=None, **options)

    def leaf(self, cafile, name="localhost"):
        """The certificate that a browser gets, as DER."""
        context = ssl.create_default_context(cafile=cafile)
        with socket.create_connection(self.address, DEADLINE) as sock:
            with context.wrap_socket(sock, server_hostname=name) as tls:
                return tls.getpeercert(binary_form=True)

    def wait_for_leaf(self, cafile, name="localhost"):
        """The same, once there is one: a handshake waits a short time only for a signer, which may still be starting."""
        def made():
            try:
                return self.leaf(cafile, name)
            except OSError:
                return None
        return wait_until(made, lambda: f"a leaf for {name}; the console said {self.stderr()}")

    def wait_for_rows(self, path="/api/events?limit=1000", count=1):
        """The rows of a list, once there are that many."""
        def rows():
            found = self.ask(path)["events"]
            return found if len(found) >= count else None
        return wait_until(rows, lambda: f"{count} rows of {path}; there are {self.ask(path)}; it said {self.stderr()}")

    def wait_ready(self, lines):
        """Until that many lines are in the index."""
        def index():
            state = self.ask("/api/events?limit=1")["index"]
            return state if state["state"] == "ready" and state["lines"] >= lines else None
        return wait_until(index, lambda: f"{lines} lines in the index; {self.ask('/api/events?limit=1')['index']}")


class Stream:
    """A reader of /api/stream: a thread that takes the events apart."""

    def __init__(self, console, query="", headers=None):
        self.events = []
        self.comments = 0
        self.is_over = False
        self.connection = console.connection()
        sent = {"Authorization": f"Bearer {console.token()}"}
        sent.update(headers or {})
        self.connection.request("GET", f"/api/stream{query}", headers=sent)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        event = {}
        try:
            for raw in self.answer:
                line = raw.decode().rstrip("\n")
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif event:
                    event["json"] = json.loads(event["data"])
                    self.events.append(event)
                    event = {}
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass
        self.is_over = True

    def of(self, kind):
        return [event["json"] for event in list(self.events) if event.get("event") == kind]

    def wait_for(self, condition, what="the event"):
        return wait_until(lambda: condition(self), lambda: f"{what}; there are {self.events[-5:]}")

    def close(self):
        self.connection.close()


def line(seq=None, **fields):
    """A line as leash writes it, without a chain."""
    record = {"ts": 1_700_000_000.0 + (seq or 0), "event": "allowed", "client": "10.0.0.7", "host": "api.example.com",
              "port": 443, "method": "GET", "url": "https://api.example.com/v1", "status": 200}
    record.update(fields)
    record = {key: value for key, value in record.items() if value is not ...}
    if seq is not None:
        record["seq"] = seq
    return json.dumps(record)


def write_log(path, lines):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="ascii") as log:
        log.write("".join(f"{each}\n" for each in lines))


__all__ = ["CONSOLE", "Answer", "Console", "Stream", "line", "write_log"]
