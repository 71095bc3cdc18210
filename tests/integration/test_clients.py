"""The programs that agents use, unchanged, with nothing but the usual environment variables."""

import hashlib
import http.client
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from support.leash import which
from support.origin import server_context
from support.wait import DEADLINE
from support.world import marker

BIG = os.urandom(1 << 20) * 8


@pytest.fixture(scope="module")
def leash(module_leash, world):
    return module_leash(mode="enforce", **world.options())


def run(leash, command, **options):
    environment = dict(leash.client_env(), HOME=str(leash.directory), GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0")
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE * 2,
                          **options)


def needs(program):
    if which(program) is None:
        pytest.skip(f"{program} is not here")


@pytest.fixture(scope="module", params=["https", "http"])
def base(request, world):
    """Where the client goes: (URL, the origin that serves it)."""
    if request.param == "https":
        return f"https://{world.tls_authority}", world.tls
    return f"http://{world.plain_authority}", world.plain


@pytest.mark.parametrize("options", [[], ["--http1.1"], ["--compressed"], ["--tlsv1.3"], ["--tls-max", "1.2"], ["--http2"]],
                         ids=" ".join)
def test_curl(leash, base, options):
    needs("curl")
    url, origin = base
    word, since = marker(), leash.log.mark()
    done = run(leash, ["curl", "-sS", "-i"] + options + [f"{url}/{word}"])
    assert done.returncode == 0, done.stderr
    assert b" 200" in done.stdout and done.stdout.endswith(b"ok")
    assert origin.requests_for(f"/{word}")
    line = leash.log.wait_for(since, event="allowed", url=f"{url}/{word}")
    assert line["status"] == 200 and line["res_body"] == "ok"


def test_curl_uploads_and_downloads(leash, base, tmp_path):
    needs("curl")
    url, origin = base
    word = marker()
    (tmp_path / "up").write_bytes(BIG)

    def echo(exchange):
        body = exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(body))
        exchange.send(body)
    origin.on(f"/{word}", echo)
    done = run(leash, ["curl", "-sS", "--fail", "-T", str(tmp_path / "up"), "-o", str(tmp_path / "down"), f"{url}/{word}"])
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256((tmp_path / "down").read_bytes()).digest() == hashlib.sha256(BIG).digest()


def test_curl_sees_the_block(leash, world):
    needs("curl")
    done = run(leash, ["curl", "-sS", f"https://{world.denied_tls_authority}/"])
    assert done.returncode != 0 and b"403" in done.stderr
    done = run(leash, ["curl", "-sS", f"http://{world.denied_plain_authority}/x"])
    assert done.stdout == f"leash: {world.denied_plain_authority}/x blocked (not_in_allowlist)\n".encode()
    assert world.saw_nothing_denied()


def test_curl_reuses_one_tunnel(leash, world):
    needs("curl")
    word, since = marker(), leash.log.mark()
    url = f"https://{world.tls_authority}/{word}"
    done = run(leash, ["curl", "-sS"] + [f"{url}/{number}" for number in range(10)])
    assert done.stdout == b"ok" * 10
    leash.log.wait_for(since, count=10, event="allowed")
    tunnels = [line for line in map(dict, leash.log.lines(event="connect_allowed"))]
    assert len([line for line in tunnels if line["seq"] >= leash.log.lines()[since]["seq"]]) == 1


def test_wget(leash, base):
    needs("wget")
    url, _ = base
    word = marker()
    done = run(leash, ["wget", "-q", "-O", "-", f"--ca-certificate={leash.ca_file}", f"{url}/{word}"])
    assert (done.returncode, done.stdout) == (0, b"ok"), done.stderr


def test_python_http_client(leash, world):
    conn = http.client.HTTPSConnection(*leash.address, timeout=DEADLINE, context=leash.context())
    conn.set_tunnel(world.ALLOWED, world.tls.port)
    for number in range(3):
        conn.request("POST", f"/{number}", body=iter([b"one", b"two"]), headers={"Host": world.tls_authority}, encode_chunked=True)
        assert conn.getresponse().read() == b"ok"
    conn.close()
    assert world.tls.requests_for("/0")[0].body == b"onetwo" or world.tls.requests_for("/0")[-1].body == b"onetwo"


def test_python_requests(leash, base):
    url, origin = base
    word = marker()
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": leash.url, "https": leash.url}
        session.verify = leash.ca_file
        assert session.get(f"{url}/{word}", timeout=DEADLINE).text == "ok"
        assert session.post(f"{url}/{word}", json={"a": 1}, timeout=DEADLINE).status_code == 200
    assert origin.requests_for(f"/{word}")[1].body == b'{"a": 1}'


NODE = """
const http = require('http'), https = require('https'), tls = require('tls'), fs = require('fs');
const [proxyHost, proxyPort, host, port, path] = process.argv.slice(2);
const connect = http.request({host: proxyHost, port: proxyPort, method: 'CONNECT', path: `${host}:${port}`});
connect.on('connect', (response, socket) => {
  if (response.statusCode !== 200) { console.log('CONNECT', response.statusCode); process.exit(1); }
  const secure = tls.connect({socket, servername: host, ALPNProtocols: ['http/1.1']}, () => {
    https.get({host, port, path, createConnection: () => secure}, (answer) => {
      let text = '';
      answer.on('data', (piece) => { text += piece; });
      answer.on('end', () => { console.log(answer.statusCode, text); process.exit(0); });
    });
  });
  secure.on('error', (error) => { console.log(error.code); process.exit(2); });
});
connect.end();
"""


def test_node(leash, world, tmp_path):
    """NODE_EXTRA_CA_CERTS is all that it needs to trust."""
    needs("node")
    (tmp_path / "client.js").write_text(NODE)
    word = marker()
    done = run(leash, ["node", str(tmp_path / "client.js"), leash.address[0], str(leash.address[1]), world.ALLOWED,
                       str(world.tls.port), f"/{word}"])
    assert done.stdout == b"200 ok\n", (done.stdout, done.stderr)
    assert world.tls.requests_for(f"/{word}")


def test_openssl_s_client(leash, world):
    needs("openssl")
    done = subprocess.run(["openssl", "s_client", "-proxy", f"{leash.address[0]}:{leash.address[1]}", "-connect",
                           world.tls_authority, "-servername", world.ALLOWED, "-CAfile", leash.ca_file,
                           "-verify_return_error", "-verify_hostname", world.ALLOWED, "-x509_strict", "-brief"],
                          input=b"", capture_output=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    assert b"Verification: OK" in done.stderr


# git over HTTPS against its own server program


class GitServer(ThreadingHTTPServer):
    """`git http-backend` behind TLS."""

    daemon_threads = True

    def __init__(self, root, certificate):
        super().__init__(("127.0.0.1", 0), GitHandler)
        self.root = str(root)
        self.socket = server_context(certificate).wrap_socket(self.socket, server_side=True)
        self.port = self.socket.getsockname()[1]


class GitHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            pieces = []
            while True:
                size = int(self.rfile.readline(), 16)
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
                if size == 0:
                    return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do(self):
        path, _, query = self.path.partition("?")
        environment = {"GIT_PROJECT_ROOT": self.server.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                       "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1",
                       "CONTENT_TYPE": self.headers.get("Content-Type", ""), "PATH": os.environ["PATH"],
                       "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "REMOTE_USER": "agent",
                       "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "HOME": self.server.root}
        body = self.body()
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
        status = next((int(value.split()[0]) for name, value in fields if name == "Status"), 200)
        self.send_response(status)
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do


@pytest.fixture(scope="module")
def git_server(pki, tmp_path_factory):
    if which("git") is None:
        pytest.skip("git is not here")
    root = tmp_path_factory.mktemp("git")

    def git(*words, cwd):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "safe.directory=*"] + list(words), cwd=cwd,
                       check=True, capture_output=True, env=dict(os.environ, HOME=str(root)))
    work = root / "work"
    work.mkdir()
    git("init", "-q", "-b", "main", cwd=work)
    for number in range(20):
        (work / f"file{number}").write_bytes(os.urandom(20_000))
        git("add", ".", cwd=work)
        git("commit", "-q", "-m", f"commit {number}", cwd=work)
    git("clone", "-q", "--bare", str(work), str(root / "repo.git"), cwd=root)
    git("config", "http.receivepack", "true", cwd=root / "repo.git")
    server = GitServer(root, pki.issue("git.test"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_git_clone_and_push(make_leash, git_server, tmp_path):
    rules = [{"method": "GET", "prefix": "/repo.git/"}, {"method": "POST", "prefix": "/repo.git/"}]
    leash = make_leash(mode="enforce", hosts={"git.test": "127.0.0.1"},
                       allow=[{"host": "git.test", "ports": [git_server.port], "paths": rules}])
    url = f"https://git.test:{git_server.port}/repo.git"
    done = run(leash, ["git", "clone", "-q", url, str(tmp_path / "clone")])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clone" / "file19").read_bytes() == (Path(git_server.root) / "work" / "file19").read_bytes()
    (tmp_path / "clone" / "new").write_bytes(os.urandom(3_000_000))  # more than http.postBuffer: chunked
    for words in (["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "new"], ["push", "-q"]):
        done = run(leash, ["git"] + words, cwd=tmp_path / "clone")
        assert done.returncode == 0, done.stderr
    assert leash.log.wait_for(event="allowed", method="POST", url=lambda url: url.endswith("git-receive-pack"))
    done = run(leash, ["git", "clone", "-q", f"https://git.test:{git_server.port}/other.git", str(tmp_path / "other")])
    assert done.returncode != 0
    assert leash.log.wait_for(event="blocked")["reason"] == "path_not_allowed"
