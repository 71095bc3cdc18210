"""Servers that others wrote, as origins: each on a port that the kernel gave, with a certificate of ours."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from .processes import descriptors
from .wait import DEADLINE, wait_until


def split_pem(certificate, directory):
    """(certificate file, key file) of a certificate of the test PKI."""
    pem = Path(certificate.path).read_text()
    at = pem.index("-----BEGIN PRIVATE KEY")
    chain, key = Path(directory) / "chain.pem", Path(directory) / "key.pem"
    chain.write_text(pem[:at])
    key.write_text(pem[at:])
    return str(chain), str(key)


def listening_port(pid):
    """The TCP port (IPv4) that a process listens on, or None."""
    inodes = {link[8:-1] for link in descriptors(pid).values() if link.startswith("socket:[")}
    try:
        listed = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return None
    for line in listed:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            return int(fields[1].split(":")[1], 16)
    return None


class Program:
    """A server process in a folder of its own; `command()` says how it is called, `port` where it listens."""

    def __init__(self, certificate):
        self.directory = Path(tempfile.mkdtemp(prefix="leash-origin-"))
        self.chain, self.key = split_pem(certificate, self.directory)
        self.root = self.directory / "root"
        self.root.mkdir()
        self.errors = self.directory / "errors"
        self.port = None
        self.process = None

    def start(self, command, **options):
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                            cwd=self.directory, **options)
        return self

    def why(self):
        return f"{type(self).__name__} listens; it said: {self.errors.read_text(errors='replace')}"

    def put(self, name, data):
        (self.root / name).write_bytes(data)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Nghttpd(Program):
    """HTTP/2 only; serves the files that were put, and answers a POST with the file of its path."""

    def __init__(self, certificate, *options):
        super().__init__(certificate)
        self.start(["nghttpd", "-a", "127.0.0.1", "-d", str(self.root), *options, "0", self.key, self.chain])
        self.port = wait_until(lambda: listening_port(self.process.pid), self.why)


NGINX = """
daemon off; worker_processes 1; {user} pid {directory}/pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; default_type application/octet-stream;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port} ssl{http2};
    ssl_certificate {chain}; ssl_certificate_key {key};
    location / {{ root {root}; }}
    location /put/ {{ root {root}; dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""


class Nginx(Program):
    """Serves the files that were put; PUT below /put/ keeps what it is sent. Its listener is bound here and handed over,
    as at an upgrade of its binary: its configuration cannot say port 0."""

    def __init__(self, certificate, http2=True):
        super().__init__(certificate)
        with socket.create_server(("127.0.0.1", 0), backlog=511) as listener:
            self.port = listener.getsockname()[1]
            config = self.directory / "nginx.conf"
            config.write_text(NGINX.format(directory=self.directory, port=self.port, chain=self.chain, key=self.key, root=self.root,
                                           http2=" http2" if http2 else "", user="user root;" if os.geteuid() == 0 else ""))
            fd = listener.fileno()
            self.start(["nginx", "-p", str(self.directory), "-c", str(config)], pass_fds=[fd],
                       env=dict(os.environ, NGINX=f"{fd};"))
            # from here on connections queue at the listener, which nginx shares
            wait_until(lambda: (self.directory / "pid").exists() or self.process.poll() is not None, self.why)
            if self.process.poll() is not None:
                why = self.why()
                self.close()
                raise AssertionError(why)


NODE_ORIGIN = """
const http2 = require('http2'), fs = require('fs');
const [chain, key] = process.argv.slice(2);
const server = http2.createSecureServer({cert: fs.readFileSync(chain), key: fs.readFileSync(key), allowHTTP1: true});
server.on('request', (request, response) => {
  const path = request.url;
  if (path.startsWith('/events')) {
    response.writeHead(200, {'content-type': 'text/event-stream'});
    response.write('data: first\\n\\n');
    request.on('data', () => {});
    request.on('close', () => console.log('closed ' + path));
    return;
  }
  if (path.startsWith('/hints')) {
    if (response.writeEarlyHints && request.httpVersionMajor === 2)
      response.stream.additionalHeaders({':status': 103, link: '</style.css>; rel=preload'});
  }
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const body = Buffer.concat(pieces);
    response.writeHead(200, {'content-type': 'application/octet-stream', 'x-version': request.httpVersion,
                             'x-count': String(body.length)});
    if (request.httpVersionMajor === 2 && path.startsWith('/trailers')) {
      response.addTrailers({'x-sum': 'from node'});
    }
    response.end(body.length ? body : 'ok');
  });
});
server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));
"""


class NodeOrigin(Program):
    """Node's http2 server (and HTTP/1.1): echoes bodies; /events streams one event and stays open."""

    def __init__(self, certificate):
        super().__init__(certificate)
        script = self.directory / "origin.js"
        script.write_text(NODE_ORIGIN)
        self.start(["node", str(script), self.chain, self.key])
        found = re.match(rb"port (\d+)\n", self.process.stdout.readline())
        assert found, self.why()
        self.port = int(found.group(1))


NODE_LEGS = """
const http2 = require('http2'), https = require('https'), fs = require('fs');
const [chain, key, version] = process.argv.slice(2);
const held = [], sent = {}, sinks = {};
const KIB = Buffer.alloc(65536, 'x');
function serve(request, response) {
  const [, what, id, number] = request.url.split('/');
  if (what === 'hold') {  // answered once as many have come
    held.push([response, id]);
    if (held.length === +number) {
      for (const [waiting, name] of held.splice(0)) waiting.end(('answer ' + name + '.').repeat(500));
    }
  } else if (what === 'chunks') {  // so many of 64 KiB, as fast as they are taken
    let left = +number;
    sent[id] = 0;
    const write = () => {
      while (left > 0) {
        left--;
        sent[id] += KIB.length;
        if (!response.write(KIB)) { response.once('drain', write); return; }
      }
      response.end();
    };
    write();
  } else if (what === 'sent') {
    response.end(String(sent[id] || 0));
  } else if (what === 'sink') {  // read at once, or when told to
    let count = 0;
    sinks[id] = () => {
      request.on('data', (piece) => { count += piece.length; });
      request.on('end', () => response.end(String(count)));
    };
    if (number === 'now') sinks[id]();
  } else if (what === 'release') {
    sinks[id]();
    response.end('ok');
  } else {
    response.end(version);
  }
}
const files = {cert: fs.readFileSync(chain), key: fs.readFileSync(key)};
const server = version === 'h2' ? http2.createSecureServer(files, serve) : https.createServer(files, serve);
server.keepAliveTimeout = 60000;
server.listen(0, '127.0.0.1', 1024, () => console.log('port ' + server.address().port));
"""


class NodeLegs(Program):
    """An origin of one version ("h1" or "h2") that holds answers, sends without end, and takes uploads when it is told to."""

    def __init__(self, certificate, version):
        super().__init__(certificate)
        self.version = version
        script = self.directory / "legs.js"
        script.write_text(NODE_LEGS)
        self.start(["node", str(script), self.chain, self.key, version])
        found = re.match(rb"port (\d+)\n", self.process.stdout.readline())
        assert found, self.why()
        self.port = int(found.group(1))
