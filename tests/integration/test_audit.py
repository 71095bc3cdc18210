"""The record: written before anything leaves, whole, ordered, chained, and without secrets (docs/THREATS.md, records)."""

import gzip
import json
import os
import shutil
import subprocess
import threading
import zlib

import pytest

from support.http import Closed
from support.log import Log, check_chain
from support.origin import message, raw
from support.wait import DEADLINE, IS_SANITIZED, wait_until
from support.world import Way, World, marker

ORDER = ["ts", "event", "client", "host", "port", "method", "url", "reason", "status", "bytes", "audit", "req_headers",
         "res_headers", "req_body", "res_body", "req_truncated", "res_truncated", "id", "tunnel", "agent", "sni", "addr",
         "alpn", "origin_cert", "names", "rule", "note", "tls", "ms", "bytes_up", "bytes_down"]


@pytest.fixture
def world(pki):
    made = World(pki)
    yield made
    made.close()


@pytest.fixture
def leash(make_leash, world):
    return make_leash(mode="enforce", **world.options())


def logged(leash, word, event="allowed", since=0):
    return leash.log.wait_for(since, event=event, url=lambda url: url and word in url)


def keys_of(raw_line):
    return [key for key, _ in json.loads(raw_line, object_pairs_hook=list)]


def in_original_layout(raw_line):
    """The line as Python's json writes it: ", " and ": " between, ASCII, and numbers as they stand."""
    value = json.loads(raw_line, parse_float=lambda text: f"\0{text}\0", parse_int=lambda text: f"\0{text}\0")
    return json.dumps(value).replace('"\\u0000', "").replace('\\u0000"', "").encode()


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_request_is_on_record_before_it_leaves(leash, world, via):
    way = Way(leash, world, via)
    word = marker()
    found = []

    def script(exchange):
        found.extend(line for line in leash.log.lines(event="request") if word in line["url"])
        exchange.send(message(body=b"ok"))
    way.origin.on(f"/{word}", script)
    assert way.conn.get(way.target(f"/{word}"), way.host).status == 200
    way.conn.close()
    assert len(found) == 1, "the origin had the request before the log"
    outcome = logged(leash, word)
    assert outcome["id"] == found[0]["id"] and outcome["seq"] > found[0]["seq"]
    assert found[0]["method"] == "GET" and found[0]["host"] == world.ALLOWED


def test_connect_is_on_record_before_the_origin_is_dialled(make_leash):
    import socket
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    leash = make_leash(mode="audit", hosts={"dial.test": "127.0.0.1"})
    with leash.connect() as conn:
        conn.send(f"CONNECT dial.test:{port} HTTP/1.1\r\nHost: dial.test:{port}\r\n\r\n")
        listener.settimeout(DEADLINE)
        peer, _ = listener.accept()
        assert leash.log.lines(event="connect_allowed", host="dial.test", port=port)
        peer.close()
    listener.close()


def test_lines_have_the_original_layout(leash, world):
    """Field order, spacing, ASCII; ours after theirs, seq and chain at the end."""
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        conn.get("/a?q=1", world.tls_authority, method="POST", body="h\u00e9llo \u2028".encode(),
                 headers=[("Content-Type", "text/plain"), ("X-Latin", "\xe9"), ("x-latin", "two")])
        conn.get("/bad", world.denied_plain_authority)
    with leash.connect() as conn:
        conn.connect(world.denied_tls_authority)
        conn.get(f"http://{world.denied_plain_authority}/b", world.denied_plain_authority)
    leash.set_mode("audit")
    with leash.connect() as conn:
        conn.get(f"http://other.test:{world.plain.port}/c", f"other.test:{world.plain.port}")
    for wanted in ({"event": "allowed", "audit": "would_block_in_enforce"}, {"event": "allowed", "method": "POST"},
                   {"event": "tunnel_closed"}, {"event": "mode_change"}, {"event": "blocked", "method": None, "host": world.DENIED}):
        leash.log.wait_for(**wanted)
    events = set()
    for line in leash.log.raw_lines():
        assert in_original_layout(line) == line
        assert all(32 <= byte < 127 for byte in line)
        keys = keys_of(line)
        events.add(json.loads(line)["event"])
        assert keys[-2:] == ["seq", "chain"]
        known = [key for key in keys if key in ORDER]
        assert known == sorted(known, key=ORDER.index), keys
        for value in json.loads(line).values():
            assert value is not False, line
    assert {"connect_allowed", "request", "allowed", "blocked", "mode_change"} <= events
    allowed = leash.log.lines(event="allowed", method="POST")[0]
    assert allowed["req_body"] == "h\u00e9llo \u2028" and allowed["res_body"] == "ok"
    assert allowed["status"] == 200 and allowed["bytes"] == 2
    assert allowed["url"] == f"https://{world.tls_authority}/a?q=1"
    assert ["X-Latin", "\udce9, two"] in allowed["req_headers"]
    assert b'"event": "connect_allowed"' in leash.log_path.read_bytes()
    change = [line for line in leash.log.raw_lines() if b'"mode_change"' in line][0]
    assert keys_of(change)[:4] == ["ts", "event", "previous", "mode"]
    blocked = leash.log.lines(event="blocked", method=None, host=world.DENIED)[0]
    assert list(blocked)[:6] == ["ts", "event", "client", "host", "port", "reason"]


def test_ids_tie_lines_together(leash, world):
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        conn.get("/one", world.tls_authority)
        conn.get("/two", world.tls_authority)
    tunnel = leash.log.wait_for(event="tunnel_closed")
    opened = leash.log.lines(event="connect_allowed")[0]
    assert opened["id"] == tunnel["id"]
    outcomes = leash.log.lines(event="allowed")
    assert len({line["id"] for line in outcomes}) == 2
    assert {line["tunnel"] for line in outcomes} == {opened["id"]}
    for outcome in outcomes:
        intents = leash.log.lines(event="request", id=outcome["id"])
        assert len(intents) == 1 and intents[0]["url"] == outcome["url"]


def test_size_is_what_was_transferred(leash, world):
    packed = gzip.compress(b"x" * 10_000)
    way = Way(leash, world, "tunnel")
    world.tls.on("/gz", raw(message(body=packed, headers=[("Content-Type", "text/plain"), ("Content-Encoding", "gzip")]), close=False))
    world.tls.on("/chunks", raw(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", close=False))
    way.conn.get("/gz", way.host)
    way.conn.get("/chunks", way.host)
    way.conn.close()
    assert logged(leash, "/gz")["bytes"] == len(packed)
    assert logged(leash, "/chunks")["bytes"] == 10


def test_chain_and_numbers(leash, world):
    """chain(n) = SHA-256(chain(n-1) || line up to its own chain), from 32 zero bytes on; also through a restart."""
    for _ in range(3):
        way = Way(leash, world, "tunnel")
        for _ in range(5):
            way.legal()
        way.conn.close()
        leash.stop()
        leash.log.check_chain()
        leash.start()
    leash.log.wait_for(event="start", count=4)
    assert leash.log.check_chain() > 40
    assert json.loads(leash.log.raw_lines()[0])["seq"] in (0, 1)
    assert len(leash.log.lines(event="start")) == 4 and len(leash.log.lines(event="stop")) == 3


def test_every_request_has_one_intent_and_one_outcome(leash, world):
    """Under concurrency as well."""
    def agent(number):
        way = Way(leash, world, "tunnel" if number % 2 else "plain")
        for turn in range(25):
            answer = way.conn.get(way.target(f"/load/{number}/{turn}"), way.host)
            assert answer.status == 200
        way.conn.close()
    run_all(agent, 8)
    leash.log.wait_for(event="allowed", count=200)
    for event in ("request", "allowed"):
        urls = [line["url"] for line in leash.log.lines(event=event)]
        assert len(urls) == len(set(urls)) == 200
    leash.stop()
    leash.log.check_chain()


def run_all(work, count):
    errors = []

    def one(number):
        try:
            work(number)
        except BaseException as error:  # noqa: B902 - told by the test
            errors.append(error)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# Secrets

SECRET = "s3cr3t-Marker-0042"


def test_secrets_stay_out_of_the_log(leash, world):
    """79"""
    headers = [(name, SECRET) for name in ("X-Api-Key", "X-Auth-Token", "X-Goog-Api-Key")]
    headers += [("Authorization", f"Bearer {SECRET}"), ("Cookie", f"session={SECRET}"), ("X-Open", "visible")]
    world.tls.on("/login", raw(message(body=b"ok", headers=[("Set-Cookie", f"id={SECRET}"), ("Content-Type", "text/plain")]), close=False))
    with leash.connect() as conn:
        conn.connect(world.tls_authority, [("Proxy-Authorization", f"Basic {SECRET}")])
        conn.start_tls(leash.context(), world.ALLOWED)
        for name in ("api_key", "apikey", "key", "token", "access_token", "sig", "password", "client_secret"):
            conn.get(f"/login?a=1&{name}={SECRET}&b=2", world.tls_authority, headers=headers)
        conn.get("/login", world.denied_tls_authority, headers=headers)
    with leash.connect() as conn:
        conn.get(f"http://{world.denied_plain_authority}/?api_key={SECRET}", world.denied_plain_authority, headers=headers)
    leash.log.wait_for(event="blocked", host=world.DENIED)
    line = leash.log.wait_for(event="allowed", count=8)[0]
    assert SECRET.encode() not in leash.log_path.read_bytes()
    assert SECRET not in leash.stderr()
    # the origin has got it all the same
    assert world.tls.requests[0].get("authorization") == f"Bearer {SECRET}"
    assert f"api_key={SECRET}" in world.tls.requests[0].target
    values = dict((name.lower(), value) for name, value in line["req_headers"])
    assert values["x-open"] == "visible"
    assert values["x-api-key"].startswith("[redacted hmac:") and values["x-api-key"] == values["x-auth-token"]
    assert "a=1" in line["url"] and "b=2" in line["url"]


def test_secrets_can_be_kept(make_leash, world):
    leash = make_leash(mode="enforce", env={"LEASH_LOG_SECRETS": "keep"}, **world.options())
    way = Way(leash, world, "tunnel")
    way.conn.get("/", way.host, headers=[("Authorization", f"Bearer {SECRET}")])
    way.conn.close()
    assert ["Authorization", f"Bearer {SECRET}"] in leash.log.wait_for(event="allowed")["req_headers"]


# Bodies


def pack(tool, data):
    return subprocess.run([tool, "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


TEXT = '{"text": "gr\u00fc\u00df dich"}'
ENCODED = {
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: pack("brotli", data),
    "zstd": lambda data: pack("zstd", data),
    "gzip, br": lambda data: pack("brotli", gzip.compress(data)),
}


@pytest.mark.parametrize("coding", ENCODED)
def test_bodies_are_captured_decoded(leash, world, coding):
    body = ENCODED[coding](TEXT.encode())
    way = Way(leash, world, "tunnel")
    word = marker()
    fields = [("Content-Type", "application/json"), ("Content-Encoding", coding)]
    way.origin.on(f"/{word}", raw(message(body=body, headers=fields), close=False))
    answer = way.conn.get(f"/{word}", way.host, method="POST", body=body, headers=fields)
    assert answer.body == body  # traffic is never touched
    way.conn.close()
    line = logged(leash, word)
    assert line["req_body"] == TEXT and line["res_body"] == TEXT
    assert "req_truncated" not in line and "res_truncated" not in line
    assert way.origin.requests_for(f"/{word}")[0].body == body


def exchange_bodies(leash, world, request, response, request_type="text/plain", response_type="text/plain"):
    """Sends and answers these; returns the line."""
    way = Way(leash, world, "tunnel")
    word = marker()
    way.origin.on(f"/{word}", raw(message(body=response, headers=[("Content-Type", response_type)]), close=False))
    answer = way.conn.get(f"/{word}", way.host, method="POST", body=request, headers=[("Content-Type", request_type)])
    assert answer.body == response
    way.conn.close()
    return logged(leash, word)


def test_what_is_not_text(leash, world):
    line = exchange_bodies(leash, world, b"\xff\xfe\x00\x01", b"\xff\xfe\x00")
    assert line["req_body"] == "[binary, 4 bytes]" and line["res_body"] == "[binary, 3 bytes]"


@pytest.mark.parametrize("kind,is_captured", [
    ("text/html; charset=utf-8", True), ("application/json", True), ("TEXT/PLAIN", True), ("application/xml", True),
    ("application/x-www-form-urlencoded", True), ("text/event-stream", False), ("image/png", False),
    ("application/octet-stream", False), ("application/javascript", False), ("application/grpc", False)])
def test_which_responses_are_captured(leash, world, kind, is_captured):
    line = exchange_bodies(leash, world, b"request", b"response", "application/octet-stream", kind)
    assert line["req_body"] == "request"  # of any type
    assert line.get("res_body") == ("response" if is_captured else None)


def test_limit_counts_code_points(make_leash, world):
    leash = make_leash(mode="enforce", args=["--body-limit-kb", "1"], **world.options())
    exact, more = "\u00e9" * 1024, "\u20ac" * 1025
    line = exchange_bodies(leash, world, exact.encode(), more.encode())
    assert line["req_body"] == exact and "req_truncated" not in line
    assert line["res_body"] == more[:1024] and line["res_truncated"] is True
    line = exchange_bodies(leash, world, b"a" * 5000, b"\xff" * 5000)
    assert line["req_body"] == "a" * 1024 and line["req_truncated"] is True


def test_limit_of_nothing(make_leash, world):
    """An empty text is left out, as every empty field is; that it was cut is told."""
    leash = make_leash(mode="enforce", env={"BODY_LIMIT_KB": "0"}, **world.options())
    line = exchange_bodies(leash, world, b"request", b"response")
    assert line.get("req_body", "") == "" and line["req_truncated"] is True  # an empty text is left out, as the original does


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate", "compress", "nonsense"])
@pytest.mark.parametrize("mode", ["enforce", "blocklist"])
def test_undecodable_body_is_no_way_round(make_leash, world, coding, mode):
    """The original's bypass: such a request was neither blocked nor logged."""
    leash = make_leash(mode=mode, **world.options(allow=[dict(world.allow[0], paths=[{"prefix": "/ok"}])],
                                                  block=[{"host": world.ALLOWED, "paths": [{"prefix": "/private"}]}]))
    fields = [("Content-Encoding", coding), ("Content-Type", "application/json")]
    way = Way(leash, world, "tunnel")
    assert way.conn.get("/private", way.host, method="POST", body=b"{not packed}", headers=fields).status == 403
    assert way.conn.get("/ok", way.host, method="POST", body=b"{not packed}", headers=fields).status == 200
    way.conn.close()
    assert leash.log.wait_for(event="blocked")["url"].endswith("/private")
    assert leash.log.wait_for(event="allowed")["url"].endswith("/ok")
    assert not world.tls.requests_for("/private") and world.tls.requests_for("/ok")[0].body == b"{not packed}"


def test_decompression_bomb_is_bounded(leash, world):
    """74: a gigabyte of zeros in a megabyte; the traffic passes untouched, the copy is cut."""
    squeeze = zlib.compressobj(9, wbits=31)
    block = bytes(1 << 20)
    bomb = b"".join(squeeze.compress(block) for _ in range(1024)) + squeeze.flush()
    before = leash.peak_mib
    way = Way(leash, world, "tunnel")
    fields = [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")]
    way.origin.on("/bomb", raw(message(body=bomb, headers=fields), close=False))
    assert way.conn.get("/bomb", way.host, method="POST", body=bomb, headers=fields).body == bomb
    way.conn.close()
    line = logged(leash, "/bomb")
    assert line["bytes"] == len(bomb)
    assert len(json.dumps(line)) < 20_000_000
    assert leash.peak_mib - before < (600 if IS_SANITIZED else 120)


# Strange bytes


def test_no_byte_breaks_a_line(leash, world):
    """78: one event, one line, whatever is in it."""
    since = leash.log.mark()
    for value in list(range(1, 256)):
        with leash.connect() as conn:
            conn.send(f"GET http://{world.plain_authority}/p{chr(value)}q HTTP/1.1\r\nHost: {world.plain_authority}\r\n"
                      f"X-A: b{chr(value)}c\r\nX-B: \xe2\x80\xa8\xed\xa0\x80</script>\r\n\r\n")
            try:
                conn.response()
            except Closed:
                pass
    leash.log.wait_for(since, event="error")
    lines = leash.log.raw_lines()[since:]
    for line in lines:
        assert in_original_layout(line) == line and all(32 <= byte < 127 for byte in line)
    with leash.connect() as conn:
        conn.get(f"http://{world.plain_authority}/", world.plain_authority, headers=[("X-B", "\xe2\x80\xa8\xed\xa0\x80")])
    leash.stop()
    leash.log.check_chain()


# When the log cannot be written


@pytest.fixture
def small_log(make_leash, world):
    """A log on a small file system of its own, with a way to fill and free it."""
    leash = make_leash(mode="enforce", log_tmpfs="size=256k", **world.options())
    filler = f"/proc/{leash.pid}/root{leash.log_dir}/filler"

    def fill():
        try:
            with open(filler, "wb", buffering=0) as out:
                while True:
                    out.write(b"x" * 4096)
        except OSError:
            pass

    def free():
        os.unlink(filler)
    return leash, fill, free


def test_no_record_no_egress_and_recovery(small_log, world):
    """80"""
    leash, fill, free = small_log
    with leash.connect() as conn:
        target = f"http://{world.plain_authority}/"
        assert conn.get(target, world.plain_authority).status == 200

        def refused():
            word = marker()
            with leash.connect() as other:
                answer = other.get(target + word, world.plain_authority)
            if answer.status == 200:
                return False
            assert answer.status == 503 and b"audit_unavailable" in answer.body, answer
            assert not world.plain.saw(word), "it left without a record"
            return True
        fill()
        wait_until(refused, "503 on a full disk")  # what is left of the last page may take some lines
        assert refused() and refused()
        with leash.connect() as other:
            assert other.connect(world.tls_authority).status == 503
        status, _ = leash.admin_get("/readyz")
        assert status == 503
        free()
        wait_until(lambda: not refused(), "traffic again once there is room")
    assert leash.admin_get("/readyz")[0] == 200
    # everything that the origin saw is in the log, and the log is whole
    urls = {line["url"] for line in leash.log.lines(event="request")}
    for request in world.plain.requests:
        assert f"http://{world.plain_authority}{request.target}" in urls
    leash.log.check_chain()


def test_log_in_a_folder_that_is_not_there(make_leash, world):
    """It is made at the start. One that is replaced later is another folder, which leash may not write in before it is started anew."""
    leash = make_leash(mode="enforce", starts=False, **world.options())
    shutil.rmtree(leash.log_dir)
    leash.start()

    def status():
        with leash.connect() as conn:
            return conn.get(f"http://{world.plain_authority}/", world.plain_authority).status
    assert status() == 200 and leash.log_dir.stat().st_mode & 0o777 == 0o750
    leash.log.wait_for(event="allowed")  # or it would come to a folder that is no longer there
    shutil.rmtree(leash.log_dir)
    seen = world.plain.connections
    assert status() == 503 and world.plain.connections == seen
    leash.log_dir.mkdir()
    if "landlock" in leash.stderr():
        assert status() == 503
        leash.stop()
        leash.start()
    wait_until(lambda: status() == 200)


def test_log_is_not_for_everybody(leash):
    assert leash.log_path.stat().st_mode & 0o007 == 0


def test_refused_head_is_on_record_with_what_is_known(leash, world):
    """81: inside a tunnel that is the tunnel's host; on the proxy's own port nothing was understood, so nothing is named."""
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        assert conn.ask("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").status == 400
    line = leash.log.wait_for(event="error")
    assert (line["host"], line["port"], line["sni"]) == (world.ALLOWED, world.tls.port, world.ALLOWED)
    assert line["reason"].startswith("bad_host") and line["tunnel"] == leash.log.lines(event="connect_allowed")[0]["id"]
    with leash.connect() as conn:
        assert conn.ask(f"GET http://{world.plain_authority}/ HTTP/1.1\r\nHost: {world.plain_authority}\r\nx y: z\r\n\r\n").status == 400
    line = leash.log.wait_for(event="error", host="")
    assert (line["port"], line["client"], line["reason"]) == (0, "127.0.0.1", "bad_field_name")


@pytest.mark.parametrize("mode", [0o660, 0o602, 0o666])
def test_log_that_others_can_write_is_told(make_leash, mode):
    """85: on stderr, with its mode; it goes on all the same."""
    leash = make_leash(starts=False)
    leash.log_path.touch()
    leash.log_path.chmod(mode)
    leash.start()
    assert f"audit log {leash.log_path} can be written by others (mode {mode:o})" in leash.stderr()
    assert leash.log_path.stat().st_mode & 0o777 == mode and leash.log.wait_for(event="start")


def test_moved_log_goes_on_in_a_new_file(leash, world):
    """82: logrotate's move; seq and chain run through."""
    with leash.connect() as conn:
        for number in range(5):
            conn.get(f"http://{world.plain_authority}/{number}", world.plain_authority)
            leash.log.wait_for(event="allowed", url=f"http://{world.plain_authority}/{number}")
            if number == 2:
                os.rename(leash.log_path, leash.log_dir / "old.jsonl")
    leash.stop()
    old = Log(leash.log_dir / "old.jsonl").raw_lines()
    new = leash.log.raw_lines()
    assert old and new
    check_chain(old + new)
    assert {f"/{number}" for number in range(5)} == {json.loads(line)["url"].rsplit(":", 1)[1][len(str(world.plain.port)):]
                                                     for line in old + new if b'"event": "allowed"' in line}


def test_deleted_log_comes_back(leash, world):
    with leash.connect() as conn:
        conn.get(f"http://{world.plain_authority}/1", world.plain_authority)
        leash.log.wait_for(event="allowed")
        os.unlink(leash.log_path)
        assert conn.get(f"http://{world.plain_authority}/2", world.plain_authority).status == 200
    leash.log.wait_for(event="allowed", url=f"http://{world.plain_authority}/2")


def test_truncated_log_goes_on(leash, world):
    """copytruncate: appending, never writing at an old offset."""
    with leash.connect() as conn:
        conn.get(f"http://{world.plain_authority}/1", world.plain_authority)
        leash.log.wait_for(event="allowed")
        os.truncate(leash.log_path, 0)
        assert conn.get(f"http://{world.plain_authority}/2", world.plain_authority).status == 200
    leash.log.wait_for(event="allowed", url=f"http://{world.plain_authority}/2")
    assert not leash.log_path.read_bytes().startswith(b"\0")


def test_torn_last_line_is_repaired(leash, world):
    way = Way(leash, world, "plain")
    way.legal()
    way.conn.close()
    leash.stop()
    whole = leash.log.raw_lines()
    with open(leash.log_path, "ab") as out:
        out.write(b'{"ts": 1, "event": "allo')
    leash.start()
    way = Way(leash, world, "plain")
    way.legal()
    way.conn.close()
    leash.stop()
    lines = leash.log.raw_lines()
    assert lines[:len(whole)] == whole
    assert leash.log.check_chain() > len(whole)
    assert not any(line.startswith(b'{"ts": 1, "event": "allo') for line in lines)
    # cut off, but not in silence: the next start shows what it was
    assert any(json.loads(line).get("torn", "").startswith('{"ts": 1, "event": "allo') for line in lines)


@pytest.mark.parametrize("turn", range(3))
def test_kill_under_load_loses_no_request(leash, world, turn):
    """81: whatever the origin saw has its line; seq has no gap, the chain holds, and leash starts again."""
    stop = threading.Event()

    def agent(number):
        try:
            way = Way(leash, world, "tunnel" if number % 2 else "plain")
            serial = 0
            while not stop.is_set():
                way.conn.get(way.target(f"/k/{number}/{serial}"), way.host, headers=[("X-Pad", "p" * 500)])
                serial += 1
        except (Closed, OSError, AssertionError):
            pass
    threads = [threading.Thread(target=agent, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(world.tls.requests) + len(world.plain.requests) > 200 + 100 * turn)
    leash.kill()
    stop.set()
    for thread in threads:
        thread.join()
    leash.start()
    way = Way(leash, world, "plain")
    way.legal()
    way.conn.close()
    leash.stop()
    urls = {line["url"] for line in leash.log.lines(event="request")}
    for origin, base in ((world.tls, f"https://{world.tls_authority}"), (world.plain, f"http://{world.plain_authority}")):
        for request in origin.requests:
            assert base + request.target in urls, "an origin saw a request that is not on record"
    assert leash.log.check_chain() > 200


@pytest.mark.parametrize("level", ["write", "sync", "async"])
def test_levels_of_durability(make_leash, world, level):
    leash = make_leash(mode="enforce", env={"LEASH_AUDIT": level}, **world.options())
    way = Way(leash, world, "plain")
    way.legal()
    way.conn.close()
    leash.log.wait_for(event="allowed")
    leash.stop()
    leash.log.check_chain()


def test_a_stranger_changes_a_line(leash, world):
    """What the chain is for: our own check in Python sees it."""
    way = Way(leash, world, "plain")
    way.legal()
    way.conn.close()
    leash.stop()
    lines = leash.log.raw_lines()
    changed = [line.replace(b'"port": ', b'"port": 1', 1) if b'"allowed"' in line else line for line in lines]
    assert changed != lines
    with pytest.raises(AssertionError):
        check_chain(changed)
