"""HTTP/2 programs that others wrote, at both ends: nghttp, h2load, nghttpd, nginx, curl and Node."""

import hashlib
import os
import re
import subprocess

import pytest

from support.forwarder import Forwarder
from support.leash import which
from support.servers import Nghttpd, Nginx, NodeOrigin
from support.wait import DEADLINE, IS_SANITIZED
from support.world import marker

PROGRAMS = {"nghttpd": Nghttpd, "nginx": Nginx, "node": NodeOrigin}
BIG = os.urandom(1 << 20) * 4
BIG_DIGEST = hashlib.sha256(BIG).hexdigest()


def needs(program):
    if which(program) is None:
        pytest.skip(f"{program} is not here")


class Site:
    """An origin program under a name of its own."""

    def __init__(self, name, program):
        self.name = name
        self.host = f"{name}.test"
        self.program = program

    @property
    def authority(self):
        return f"{self.host}:{self.program.port}"

    @property
    def url(self):
        return f"https://{self.authority}"


@pytest.fixture(scope="module")
def sites(pki):
    made = {}
    for name, kind in PROGRAMS.items():
        needs(name)
        made[name] = Site(name, kind(pki.issue(f"{name}.test")))
    made["nginx1"] = Site("nginx1", Nginx(pki.issue("nginx1.test"), http2=False))
    for name in ("nghttpd", "nginx", "nginx1"):
        made[name].program.put("small", b"ok")
        made[name].program.put("big", BIG)
    yield made
    for site in made.values():
        site.program.close()


@pytest.fixture(scope="module")
def leash(module_leash, sites):
    return module_leash(mode="enforce", hosts={site.host: "127.0.0.1" for site in sites.values()},
                        allow=[{"host": site.host, "ports": [site.program.port]} for site in sites.values()])


def run(leash, command, **options):
    environment = dict(leash.client_env(), HOME=str(leash.directory))
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE * 3, **options)


def logged(leash, since, url, count=1, event="allowed"):
    return leash.log.wait_for(since, count=count, event=event, url=url)


# curl


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("name", ["nghttpd", "nginx", "nginx1"])
def test_curl_downloads(leash, sites, name, version):
    """Whatever version curl speaks and whatever the origin does."""
    needs("curl")
    site, since = sites[name], leash.log.mark()
    done = run(leash, ["curl", "-sS", "--fail", version, "-w", "%{stderr}%{http_version}", f"{site.url}/big"])
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).hexdigest() == BIG_DIGEST
    assert done.stderr == (b"2" if version == "--http2" else b"1.1")
    line = logged(leash, since, f"{site.url}/big")
    assert line["bytes"] == len(BIG) and line["alpn"] == ("http/1.1" if name == "nginx1" else "h2")


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("name", ["nginx", "nginx1"])
def test_curl_uploads_to_nginx(leash, sites, name, version, tmp_path):
    needs("curl")
    site, word = sites[name], marker()
    (tmp_path / "up").write_bytes(BIG)
    done = run(leash, ["curl", "-sS", "--fail", version, "-T", str(tmp_path / "up"), f"{site.url}/put/{word}"])
    assert done.returncode == 0, done.stderr
    assert (site.program.root / "put" / word).read_bytes() == BIG
    line = leash.log.wait_for(event="allowed", url=f"{site.url}/put/{word}")
    assert line["status"] == 201 and line["bytes_up"] == len(BIG)


def test_curl_in_parallel(leash, sites):
    """Many transfers on one connection, as curl multiplexes them."""
    needs("curl")
    site, since = sites["nginx"], leash.log.mark()
    done = run(leash, ["curl", "-sS", "--fail", "--http2", "-Z", "--parallel-max", "50", f"{site.url}/small?[1-100]"])
    assert done.returncode == 0 and done.stdout == b"ok" * 100, done.stderr
    assert len(logged(leash, since, lambda url: url and url.startswith(f"{site.url}/small?"), 100)) == 100


@pytest.mark.parametrize("name", ["nghttpd", "nginx"])
def test_ranges_and_not_modified(leash, sites, name):
    """Answers that are parts, or heads alone."""
    needs("curl")
    site = sites[name]
    done = run(leash, ["curl", "-sS", "-I", "--suppress-connect-headers", "--http2", f"{site.url}/big"])
    head = done.stdout
    assert head.startswith(b"HTTP/2 200") and f"content-length: {len(BIG)}".encode() in head, done
    if name == "nginx":
        done = run(leash, ["curl", "-sS", "--http2", "-r", "1000-1999", f"{site.url}/big"])
        assert done.stdout == BIG[1000:2000]
        tag = re.search(rb"etag: (\S+)", head).group(1).decode()
        done = run(leash, ["curl", "-sS", "-i", "--suppress-connect-headers", "--http2", "-H", f"If-None-Match: {tag}", f"{site.url}/big"])
        assert done.stdout.startswith(b"HTTP/2 304"), done


# nghttp and h2load, inside a tunnel that somebody else opens for them


def nghttp(leash, site, path, *options):
    with Forwarder(leash, site.authority) as way:
        return run(leash, ["nghttp", "-H", f":authority: {site.authority}", *options, f"https://127.0.0.1:{way.port}{path}"])


@pytest.mark.parametrize("name", ["nghttpd", "nginx", "nginx1"])
def test_nghttp_downloads(leash, sites, name):
    needs("nghttp")
    site, since = sites[name], leash.log.mark()
    done = nghttp(leash, site, "/big")
    assert done.returncode == 0 and hashlib.sha256(done.stdout).hexdigest() == BIG_DIGEST, done.stderr[-500:]
    assert logged(leash, since, f"{site.url}/big")["bytes"] == len(BIG)


def test_nghttp_many_streams_with_priorities_and_padding(leash, sites):
    """Its ways of opening idle streams, weights and padding (RFC 7540 priorities) change nothing."""
    needs("nghttp")
    site = sites["nghttpd"]
    done = nghttp(leash, site, "/small", "-m", "80", "-b", "100", "-p", "200", "-w", "16", "-W", "20", "-s")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(rb"^ *id .*200 .*/small$|^ *\d+ .* 200 +\d+ /small$", done.stdout, re.MULTILINE)) == 80, done.stdout[-800:]


def test_nghttp_uploads(leash, sites, tmp_path):
    needs("nghttp")
    site, since = sites["node"], leash.log.mark()
    (tmp_path / "up").write_bytes(BIG)
    done = nghttp(leash, site, "/echo", "-d", str(tmp_path / "up"), "-H", "content-type: application/octet-stream")
    assert done.returncode == 0 and hashlib.sha256(done.stdout).hexdigest() == BIG_DIGEST, done.stderr[-500:]
    line = logged(leash, since, f"{site.url}/echo")
    assert line["bytes_up"] == line["bytes_down"] == len(BIG)


def test_nghttp_gets_no_push(leash, pki, make_leash):
    """An origin that would push learns that there is none (SETTINGS_ENABLE_PUSH 0) and serves without."""
    needs("nghttp")
    with Nghttpd(pki.issue("push.test"), "-p/index=/pushed") as origin:
        origin.put("index", b"index")
        origin.put("pushed", b"pushed")
        site = Site("push", origin)
        own = make_leash(mode="audit", hosts={"push.test": "127.0.0.1"})
        done = nghttp(own, site, "/index", "-s")
        assert done.returncode == 0 and b"/pushed" not in done.stdout, done.stdout
        assert own.log.wait_for(event="allowed")["url"] == f"{site.url}/index"


@pytest.mark.parametrize("name", ["nghttpd", "nginx1"])
def test_h2load(leash, sites, name):
    """Ten connections with a hundred streams each: every request is answered and on record once."""
    needs("h2load")
    site, since = sites[name], leash.log.mark()
    count = 500 if IS_SANITIZED else 3000
    with Forwarder(leash, site.authority) as way:
        done = run(leash, ["h2load", "-n", str(count), "-c", "10", "-m", "100", f"--connect-to=127.0.0.1:{way.port}", f"{site.url}/small"])
    assert done.returncode == 0, done.stderr
    told = f"{count} total, {count} started, {count} done, {count} succeeded, 0 failed, 0 errored, 0 timeout".encode()
    assert told in done.stdout, (done.stdout, [line for line in leash.log.lines(event="error")[-3:]])
    assert f"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx".encode() in done.stdout
    url = f"{site.url}/small"
    lines = logged(leash, since, url, count)
    assert len(lines) == count == len({line["id"] for line in lines})


# Node at both ends


NODE_CLIENT = """
const http = require('http'), http2 = require('http2'), tls = require('tls');
const [proxyHost, proxyPort, authority, count] = process.argv.slice(2);
const host = authority.split(':')[0];
const connect = http.request({host: proxyHost, port: proxyPort, method: 'CONNECT', path: authority});
connect.on('connect', (response, socket) => {
  const session = http2.connect('https://' + authority,
      {createConnection: () => tls.connect({socket, servername: host, ALPNProtocols: ['h2']})});
  session.on('error', (error) => { console.log('error ' + error.code); process.exit(1); });
  const ask = (path, body) => new Promise((resolve, reject) => {
    const stream = session.request({':path': path, ':method': body ? 'POST' : 'GET'});
    const answer = {pieces: [], headers: null, trailers: null, hints: []};
    stream.on('headers', (headers) => answer.hints.push(headers[':status']));
    stream.on('response', (headers) => { answer.headers = headers; });
    stream.on('trailers', (trailers) => { answer.trailers = trailers; });
    stream.on('data', (piece) => answer.pieces.push(piece));
    stream.on('end', () => resolve(answer));
    stream.on('error', reject);
    stream.end(body);
  });
  (async () => {
    const bodies = [];
    for (let n = 0; n < +count; n++) bodies.push(Buffer.alloc(1000 * n + 1, n));
    const answers = await Promise.all(bodies.map((body, n) => ask('/echo' + n, body)));
    answers.forEach((answer, n) => {
      if (!Buffer.concat(answer.pieces).equals(bodies[n])) throw new Error('body ' + n);
      if (answer.headers['x-count'] !== String(bodies[n].length)) throw new Error('count ' + n);
    });
    const trailers = await ask('/trailers', Buffer.from('x'));
    if (trailers.trailers['x-sum'] !== 'from node') throw new Error('trailers');
    const hints = await ask('/hints');
    if (hints.hints.join() !== '103') throw new Error('hints ' + hints.hints);
    const events = session.request({':path': '/events'});
    events.once('data', (piece) => {
      console.log(piece.toString().trim());
      events.close(http2.constants.NGHTTP2_CANCEL);
      session.close(() => { console.log('done'); process.exit(0); });
    });
    events.on('error', () => {});
  })().catch((error) => { console.log(error.stack); process.exit(2); });
});
connect.end();
"""


def test_node_at_both_ends(leash, sites, tmp_path):
    """A hundred streams at once with their bodies, trailers, early hints, and an event stream that the client leaves."""
    needs("node")
    site, since = sites["node"], leash.log.mark()
    (tmp_path / "client.js").write_text(NODE_CLIENT)
    done = run(leash, ["node", str(tmp_path / "client.js"), leash.address[0], str(leash.address[1]), site.authority, "100"])
    assert done.stdout == b"data: first\ndone\n", (done.stdout, done.stderr)
    assert site.program.process.stdout.readline() == b"closed /events\n"
    logged(leash, since, f"{site.url}/events", event="error")
    lines = logged(leash, since, lambda url: url and url.startswith(f"{site.url}/echo"), 100)
    assert {line["bytes_up"] for line in lines} == {1000 * number + 1 for number in range(100)}
