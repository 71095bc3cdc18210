"""Who may ask the console for what: sign-in, roles, addresses, names, sites, and slow or greedy clients."""

import json
import os
import signal
import socket
import ssl
import stat
import struct
import subprocess
import time

import pytest

import support.console
from support.console import line, write_log
from support.leash import LEASHCTL
from support.processes import is_there, keeper_of, signer_of, threads
from support.wait import DEADLINE, IS_SANITIZED, wait_until

OPEN_PATHS = {"/healthz", "/api/session"}


@pytest.fixture(scope="module")
def console(module_console):
    console = module_console(starts=False)
    write_log(console.log, [line(seq) for seq in range(1, 4)])
    return console.start()


def operations(console):
    """Each route that the console says it has."""
    for path, methods in console.ask("/openapi.json")["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path.replace("{id}", "none"), operation


def cookie_of(answer):
    return answer.headers["Set-Cookie"].split(";")[0]


def test_tokens_are_made_at_the_first_start_for_their_owner_alone(console):
    for role in ("operator", "viewer"):
        mode = stat.S_IMODE(os.stat(console.state / f"{role}.token").st_mode)
        assert mode == 0o600
        assert len(console.token(role)) == 48
    assert stat.S_IMODE(os.stat(console.state).st_mode) == 0o700
    assert console.token("operator") != console.token("viewer")


def test_leashctl_prints_the_tokens(console):
    for arguments, role in (([], "operator"), (["--viewer"], "viewer")):
        done = subprocess.run([LEASHCTL, "console", "token", "--state-dir", str(console.state)] + arguments,
                              capture_output=True, text=True, check=True)
        assert done.stdout == console.token(role) + "\n"
    done = subprocess.run([LEASHCTL, "console", "token", "--state-dir", "/nonexistent"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and "leash-console makes it" in done.stderr


def test_a_token_that_others_can_read_stops_the_start(make_console):
    console = make_console()
    console.stop()
    (console.state / "operator.token").chmod(0o644)
    with pytest.raises(AssertionError, match="chmod 600"):
        console.start()
    console.process = None


def test_everything_but_the_sign_in_needs_a_token(console):
    seen = 0
    for method, path, _ in operations(console):
        answer = console.request(method, path, {} if method in ("POST", "PUT") else None, role=None)
        if path in OPEN_PATHS:
            assert answer.status != 401 or method == "POST", (method, path, answer)
        else:
            assert answer.status == 401, (method, path, answer)
            assert answer.json()["error"]
        seen += 1
    assert seen >= 25


def test_every_route_of_the_description_is_there_and_no_other(console):
    for method, path, operation in operations(console):
        if path in ("/api/stream", "/api/export"):
            continue  # they have tests of their own
        if operation["x-role"] == "operator":
            # With the wrong type, so that nothing changes.
            answer = console.request(method, path, b"x", headers={"Content-Type": "text/plain"})
            assert answer.status == 415, (method, path, answer)
        elif method == "GET":
            assert console.get(path).status in (200, 404), (method, path)
    assert console.get("/api/nothing").status == 404
    assert console.get("/api/nothing").json() == {"error": "not found"}
    answer = console.request("DELETE", "/api/events")
    assert answer.status == 405 and answer.headers["Allow"] == "GET"


def test_the_viewer_changes_nothing(console):
    tried = 0
    for method, path, operation in operations(console):
        if operation["x-role"] == "operator":
            assert console.request(method, path, {}, role="viewer").status == 403, (method, path)
            tried += 1
    assert tried >= 9
    assert console.get("/api/events", role="viewer").status == 200
    assert console.get("/api/policy", role="viewer").status == 200
    assert console.post("/api/policy/preview", {"changes": []}, role="viewer").status == 200


def test_sign_in_gives_a_session_in_a_cookie_that_scripts_cannot_read(console):
    assert console.ask("/api/session", role=None) == {"role": None, "auth": "token", "csrf": None, "version": "0.1.0"}
    answer = console.sign_in()
    assert answer.status == 200
    session = answer.json()
    assert session["role"] == "operator" and len(session["csrf"]) >= 32
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("leash_session=") and "; Path=/; HttpOnly; SameSite=Strict" in cookie
    assert "Secure" not in cookie
    headers = {"Cookie": cookie_of(answer)}
    assert console.ask("/api/session", role=None, headers=headers)["role"] == "operator"
    assert console.get("/api/events", role=None, headers=headers).status == 200

    signed_out = console.request("DELETE", "/api/session", {}, role=None, headers={
        **headers, "Origin": console.origin, "X-CSRF-Token": session["csrf"]})
    assert signed_out.status == 200 and "Max-Age=0" in signed_out.headers["Set-Cookie"]
    assert console.get("/api/events", role=None, headers=headers).status == 401


@pytest.mark.parametrize("body, status", [
    (b'{"token": "wrong"}', 401), (b'{"token": 7}', 400), (b'{}', 400), (b'[', 400), (b'"x"', 400), (b'', 415)])
def test_what_sign_in_refuses(make_console, body, status):
    console = make_console()
    answer = console.request("POST", "/api/session", body, role=None, headers={"Content-Type": "application/json"})
    assert answer.status == status and answer.json()["error"]


def test_five_wrong_tries_lock_the_address_and_no_other(make_console):
    console = make_console()
    for _ in range(4):
        assert console.sign_in(token="0" * 48).status == 401
    locked = console.sign_in(token="0" * 48)
    assert locked.status == 429 and 0 < locked.json()["retry_after"] <= 60
    assert locked.headers["Retry-After"] == str(locked.json()["retry_after"])
    # The right one does not help now, nor does it as a bearer token.
    assert console.sign_in().status == 429
    assert console.get("/api/events").status == 429
    assert console.sign_in(source="127.0.0.2").status == 200


def test_wrong_bearer_tokens_count(make_console):
    console = make_console()
    for _ in range(5):
        assert console.get("/api/events", role=None, headers={"Authorization": "Bearer wrong"}).status == 401
    assert console.get("/api/events").status == 429


# --- another site's page in the operator's browser ---------------------------------------------


@pytest.fixture(scope="module")
def browser(console):
    """The headers that the console's own page sends, by name."""
    answer = console.sign_in()
    return {"Cookie": cookie_of(answer), "Origin": console.origin, "X-CSRF-Token": answer.json()["csrf"],
            "Content-Type": "application/json"}


def test_the_page_itself_may_change(console, browser):
    answer = console.request("PUT", "/api/mode", json.dumps({"mode": "audit"}), role=None, headers=browser)
    assert answer.status == 200 and answer.json() == {"ok": True, "mode": "audit"}


@pytest.mark.parametrize("changed, status", [
    ({"Origin": "http://evil.test"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": None}, 403),
    ({"X-CSRF-Token": None}, 403),
    ({"X-CSRF-Token": "0" * 48}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ({"Content-Type": None}, 415),
    ({"Cookie": None}, 401),
    ({"Cookie": "leash_session=" + "0" * 48}, 401),
])
def test_another_sites_page_may_not(console, browser, changed, status):
    before = console.ask("/api/mode")
    headers = {**browser, **changed}
    headers = {name: value for name, value in headers.items() if value is not None}
    for method, path, body in (("PUT", "/api/mode", {"mode": "blocklist"}),
                               ("POST", "/api/policy/enforce/add", {"host": "evil.test"}),
                               ("POST", "/api/logs/clear", {})):
        # Bytes, so that no type is added.
        answer = console.request(method, path, json.dumps(body).encode(), role=None, headers=headers)
        assert answer.status == status, (method, path, changed, answer)
    assert console.ask("/api/mode") == before
    assert console.log.exists()


def test_a_script_needs_neither_cookie_nor_origin_but_is_held_to_a_wrong_one(console):
    assert console.post("/api/mode", {"mode": "audit"}).status == 200
    assert console.post("/api/mode", {"mode": "audit"}, headers={"Origin": "http://evil.test"}).status == 403


def test_there_is_no_cors(console):
    answer = console.request("OPTIONS", "/api/mode", headers={"Origin": "http://evil.test",
                                                              "Access-Control-Request-Method": "PUT"})
    assert answer.status == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


# --- names and addresses -----------------------------------------------------------------------


def raw(console, head, body=b""):
    """Status and body of bytes sent as they are."""
    with socket.create_connection(console.address, 10) as sock:
        sock.sendall(head + body)
        data = b""
        while chunk := sock.recv(65536):
            data += chunk
    return int(data.split(b" ", 2)[1]), data.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("host", ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "evil.test:8090", "",
                                  "localhost@evil.test", "localhost evil.test", "0x7f.0.0.1"])
def test_a_strangers_name_is_misdirected(console, host):
    head = f"GET /api/session HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    status, body = raw(console, head)
    assert status == 421 and "error" in json.loads(body)


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\nConnection: close\r\n\r\n",
    b"GET http://evil.test/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"])
def test_no_host_or_two_of_them_are_misdirected(console, head):
    assert raw(console, head)[0] == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8090", "127.0.0.1", "[::1]", "192.0.2.9:8090"])
def test_localhost_and_addresses_are_names_of_the_console(console, host):
    head = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert raw(console, head) == (200, b"ok\n")


def test_a_name_that_was_given_is_one_too(make_console):
    console = make_console(args=["--host", "console.corp.example"])
    assert console.get("/healthz", headers={"Host": "console.corp.example:8090"}).status == 200
    assert console.get("/healthz", headers={"Host": "other.corp.example"}).status == 421


def test_agents_are_refused_everything_whatever_they_say(make_console):
    console = make_console(policy_files={"agents.yaml": "agent_networks: [127.0.0.2/32, 10.10.10.0/24]\n"})
    forged = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Real-IP": "192.0.2.1",
              "CF-Connecting-IP": "192.0.2.1", "X-Agent-Source": "192.0.2.1"}
    for method, path, _ in operations(console):
        answer = console.request(method, path, {} if method in ("POST", "PUT") else None, source="127.0.0.2",
                                 headers=forged)
        assert answer.status == 403, (method, path)
        assert answer.json() == {"error": "not available from agent network"}
    for path in ("/", "/app.js", "/healthz"):
        assert console.get(path, source="127.0.0.2").status == 403
    # And an agent's address in a header makes nobody an agent.
    assert console.get("/api/events", headers={"X-Forwarded-For": "10.10.10.7"}).status == 200


def reset(console, data, source):
    """Connects, sends, and resets the connection."""
    sock = socket.socket()
    sock.bind((source, 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.connect(console.address)
    sock.sendall(data)
    sock.close()


def test_an_agent_that_resets_its_connection_is_an_agent_all_the_same(make_console):
    console = make_console(policy_files={"agents.yaml": "agent_networks: [127.0.0.2/32]\n"},
                           env={"LEASH_CONSOLE_AUTH": "off"})
    before = console.ask("/api/mode")["mode"]
    wanted = "audit" if before != "audit" else "enforce"
    body = json.dumps({"mode": wanted}).encode()
    change = (b"POST /api/mode HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
              b"Content-Length: %d\r\n\r\n" % len(body)) + body
    for count in (1, 20):
        # All of it is there, and the connection gone, before the console takes it.
        console.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(count):
                reset(console, change, "127.0.0.2")
        finally:
            console.process.send_signal(signal.SIGCONT)
        for _ in range(5):
            assert console.ask("/api/mode")["mode"] == before
    # Resets that come while it is at them.
    for _ in range(100):
        reset(console, change, "127.0.0.2")
    def is_refused():
        try:
            return console.post("/api/mode", {"mode": wanted}, source="127.0.0.2").status == 403
        except OSError:  # the places of those that are told why are still taken
            return False
    wait_until(is_refused, "the refusal")
    assert console.ask("/api/mode")["mode"] == before
    assert not [each for each in console.ask("/api/policy/history")["changes"] if "anybody" in each["who"]]


def test_a_client_that_becomes_an_agent_is_refused_at_once(make_console):
    console = make_console(policy_files={"agents.yaml": "agent_networks: []\n"})
    assert console.get("/api/events").status == 200
    (console.policy / "agents.yaml").write_text("agent_networks: [127.0.0.0/8]\n")
    wait_until(lambda: console.get("/api/events").status == 403, "the refusal")
    (console.policy / "agents.yaml").write_text("agent_networks: []\n")
    wait_until(lambda: console.get("/api/events").status == 200, "the welcome")


def test_an_agent_stays_one_while_the_file_is_rewritten_in_place(make_console):
    head, tail = "agent_networks:\n  - 10.10.10.0/24\n", "  - 127.0.0.2/32\n"
    console = make_console(policy_files={"agents.yaml": head + tail})
    path = console.policy / "agents.yaml"

    def is_agent():
        return console.get("/api/session", role=None, source="127.0.0.2").status == 403
    quick, turn, end = 0, 0, time.monotonic() + DEADLINE
    while quick < 50:
        assert time.monotonic() < end, f"{quick} of {turn} turns were quick"
        turn += 1
        before = time.monotonic()
        with open(path, "w", encoding="ascii") as file:  # empty from here on
            if turn % 2:
                file.write(head)
                file.flush()
            was_agent = is_agent()
            file.write(head + tail if turn % 2 == 0 else tail)
        # Half a file that nobody touches for 100 ms is a file; a loaded machine may take as long.
        if time.monotonic() - before < 0.09:
            quick += 1
            assert was_agent, turn
        else:
            wait_until(is_agent, "the whole file counts")  # or the next turn begins with half of one
    assert is_agent()
    # And a network that is taken out is let in.
    path.write_text(head)
    wait_until(lambda: console.get("/api/session", source="127.0.0.2").status == 200, "the welcome")


@pytest.mark.parametrize("text", ["agent_networks: [10.0.0.0/99]", "agent_networks: [bogus, 10.10.10.0/24]",
                                  "agent_networks: 10.10.10.0/24 x", "agent_networks: [[]]", "{", "- x"])
def test_a_faulty_agents_file_refuses_everybody(make_console, text):
    console = make_console(policy_files={"agents.yaml": text})
    for path in ("/", "/api/session", "/api/events"):
        answer = console.get(path)
        assert answer.status == 403 and "agents.yaml" in answer.json()["error"]


def test_auth_off_lets_everybody_in_but_no_other_sites_page(make_console):
    console = make_console(env={"LEASH_CONSOLE_AUTH": "off"})
    session = console.ask("/api/session", role=None)
    assert session["role"] == "operator" and session["auth"] == "off" and session["csrf"]
    assert console.ask("/api/health", role=None)["console"]["auth"] == "off"
    # A script, as with the original.
    assert console.post("/api/mode", {"mode": "audit"}, role=None).status == 200
    foreign = {"Origin": "http://evil.test", "X-CSRF-Token": session["csrf"]}
    assert console.post("/api/mode", {"mode": "enforce"}, role=None, headers=foreign).status == 403
    blind = {"Origin": console.origin}
    assert console.post("/api/mode", {"mode": "enforce"}, role=None, headers=blind).status == 403
    own = {"Origin": console.origin, "X-CSRF-Token": session["csrf"]}
    assert console.post("/api/mode", {"mode": "enforce"}, role=None, headers=own).status == 200


def test_headers_of_every_answer(console):
    for path in ("/", "/healthz", "/api/session", "/api/events", "/api/nothing", "/api/export?format=csv"):
        headers = console.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Server" not in headers


def test_tls_with_a_leaf_from_the_ca(make_leash, make_console):
    leash = make_leash()
    console = make_console(leash, env={"LEASH_CONSOLE_TLS": "on"})
    console.wait_for_leaf(leash.ca_file)
    answer = console.sign_in(cafile=leash.ca_file)
    assert answer.status == 200 and "; Secure" in answer.headers["Set-Cookie"]
    context = ssl.create_default_context(cafile=leash.ca_file)
    with socket.create_connection(console.address, 10) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            assert ("DNS", "localhost") in tls.getpeercert()["subjectAltName"]
            assert tls.version() == "TLSv1.3"
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(leash.ca_file)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(console.address, 10) as sock:
        with pytest.raises(ssl.SSLError):
            old.wrap_socket(sock, server_hostname="localhost")


@pytest.mark.skipif(IS_SANITIZED, reason="the leak check cannot run under strace")
def test_the_console_never_opens_the_key(make_leash, make_console, tmp_path, monkeypatch):
    leash = make_leash()
    trace = tmp_path / "trace"
    script = tmp_path / "traced"
    script.write_text(f'#!/bin/sh\nexec strace -D -f -qq -s 256 -e trace=open,openat,openat2,execve -o {trace} "{support.console.CONSOLE}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(support.console, "CONSOLE", str(script))
    console = make_console(leash, env={"LEASH_CONSOLE_TLS": "on"})
    console.wait_for_leaf(leash.ca_file)
    pid, keeper, signer = console.process.pid, keeper_of(console.process.pid), signer_of(console.process.pid)
    assert keeper and signer
    tasks = threads(pid)
    console.stop()
    calls = [line.split(None, 1) for line in trace.read_text().splitlines()]
    assert {int(task) for task, call in calls if "leash-ca-key.pem" in call} == {signer}
    assert len(tasks) > 2 and signer not in tasks
    assert {int(task) for task, call in calls if call.startswith("execve(")} <= {pid, keeper, signer}


def test_a_leaf_is_kept_and_another_name_has_another(make_leash, make_console):
    leash = make_leash()
    console = make_console(leash, env={"LEASH_CONSOLE_TLS": "on"}, args=["--host", "console.example"])
    first = console.wait_for_leaf(leash.ca_file)
    other = console.wait_for_leaf(leash.ca_file, "console.example")
    assert console.leaf(leash.ca_file) == first != other


def test_the_consoles_signer_is_started_again(make_leash, make_console):
    leash = make_leash()
    console = make_console(leash, env={"LEASH_CONSOLE_TLS": "on"}, args=["--host", "console.example"])
    first = console.wait_for_leaf(leash.ca_file)
    signer = signer_of(console.process.pid)
    os.kill(signer, signal.SIGKILL)
    # The leaf that is kept goes on; one for another name takes a new signer.
    assert console.leaf(leash.ca_file) == first
    wait_until(lambda: signer_of(console.process.pid) not in (None, signer), "there is a new signer")
    console.wait_for_leaf(leash.ca_file, "console.example")
    wait_until(lambda: "signer: there is a new one" in console.stderr(), console.stderr)


def test_the_consoles_signer_ends_with_it(make_leash, make_console):
    leash = make_leash()
    console = make_console(leash, env={"LEASH_CONSOLE_TLS": "on"})
    helpers = [keeper_of(console.process.pid), signer_of(console.process.pid)]
    assert all(helpers)
    console.kill()
    wait_until(lambda: not any(is_there(pid) for pid in helpers), "keeper and signer have ended")


def test_https_without_a_usable_ca_does_not_start(make_leash, make_console):
    leash = make_leash()
    (leash.ca_dir / "leash-ca-key.pem").chmod(0o644)
    console = make_console(leash, starts=False, env={"LEASH_CONSOLE_TLS": "on"})
    with pytest.raises(AssertionError, match="chmod"):
        console.start()
    console.process = None  # it has ended


def test_no_agent_reaches_the_console_through_leash(make_leash, make_console):
    with socket.socket() as probe:  # a port that leash can be told of before the console listens
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # nobody else is given it, the console may have it
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        leash = make_leash(mode="audit", env={"LEASH_CONSOLE_LISTEN": f"0.0.0.0:{port}"})
        console = make_console(leash, listen=(f"127.0.0.1:{port}",))
    assert console.get("/healthz").status == 200
    for host in ("127.0.0.1", "localhost", "127.0.0.2", "[::ffff:127.0.0.1]"):
        conn = leash.connect()
        assert conn.connect(f"{host}:{port}").status == 403, host
        conn.close()
    leash.log.wait_for(event="blocked", port=port)


def test_two_consoles_do_not_share_a_state_directory(make_console):
    console = make_console()
    second = make_console(starts=False, policy=console.policy, log=console.log)
    second.state = console.state
    with pytest.raises(AssertionError, match="another leash-console"):
        second.start()
    second.process = None


# --- slow and greedy clients -------------------------------------------------------------------


def test_too_large_a_head_or_body_is_refused(console):
    filler = b"X-Filler: " + b"a" * 8000 + b"\r\n"
    status, _ = raw(console, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + filler * 8 + b"\r\n")
    assert status in (400, 413, 431)
    head = (b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999999\r\nConnection: close\r\n\r\n")
    assert raw(console, head)[0] in (400, 413)


def test_each_body_has_the_length_that_it_needs(console):
    token = console.token("operator")

    def status(method, path, body, size):
        text = json.dumps(body)
        padded = text[:-1] + " " * (size - len(text)) + "}"
        return console.request(method, path, padded, headers={"Content-Type": "application/json"}).status
    kib = 1024
    assert status("POST", "/api/session", {"token": token}, 4 * kib) == 200
    assert status("POST", "/api/session", {"token": token}, 4 * kib + 1) == 413
    assert status("PUT", "/api/mode", {"mode": "enforce"}, 64 * kib) == 200
    assert status("PUT", "/api/mode", {"mode": "audit"}, 64 * kib + 1) == 413
    assert console.ask("/api/mode")["mode"] == "enforce"
    for method, path, body, wanted in (("PUT", "/api/policy/file", {"file": "enforce.yaml", "text": "", "etag": "x"}, 409),
                                       ("POST", "/api/policy/preview", {}, 200)):
        assert status(method, path, body, 4096 * kib) == wanted
        head = (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Content-Length: {4096 * kib + 1}\r\nConnection: close\r\n\r\n")
        assert raw(console, head.encode())[0] == 413


def test_a_client_that_dribbles_its_request_is_cut_off(console):
    with socket.create_connection(console.address, 60) as sock:
        start = time.monotonic()
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        sock.settimeout(0.5)
        is_open = True
        while is_open and time.monotonic() - start < 50:
            try:
                sock.sendall(b"X")
                is_open = sock.recv(100) != b""
            except TimeoutError:
                pass
            except OSError:
                is_open = False
        assert not is_open
    assert console.get("/healthz").status == 200


def count_closed(held):
    """How many of these connections the console has closed."""
    closed = 0
    for sock in held:
        sock.setblocking(False)
        try:
            closed += sock.recv(1) == b""
        except BlockingIOError:
            pass
        except OSError:
            closed += 1
    return closed


def test_one_address_has_its_share_of_connections_and_no_more(console):
    held = []
    try:
        for _ in range(100):
            held.append(socket.create_connection(console.address, 10, ("127.0.0.9", 0)))
        assert console.get("/healthz", source="127.0.0.3").status == 200
        # It came last: those beyond the share have been closed before anything was read.
        assert count_closed(held) == 36
        held.pop(0).close()

        def is_served():
            try:
                return console.get("/healthz", source="127.0.0.9").status == 200
            except OSError:  # the console has not seen yet that the place is free
                return False
        wait_until(is_served, "a place that is free again")
    finally:
        for sock in held:
            sock.close()


def test_agents_take_nobodys_place(make_console):
    console = make_console(policy_files={"agents.yaml": "agent_networks: [127.0.1.0/24]\n"})
    held = []
    try:
        for host in range(1, 7):
            for _ in range(60):
                held.append(socket.create_connection(console.address, 10, (f"127.0.1.{host}", 0)))
        assert console.get("/healthz").status == 200
        # A few may ask, to be told why they are refused. Counted before they begin, from when on their time is short.
        assert count_closed(held) == len(held) - 8
        for sock in held:
            try:
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
            except OSError:
                pass
        before = time.monotonic()
        assert console.get("/healthz").status == 200
        assert time.monotonic() - before < 10
        # Whose connections end makes room for the next one.
        for sock in held:
            sock.close()
        wait_until(lambda: agent_is_told(console), "an agent is told")
    finally:
        for sock in held:
            sock.close()


def agent_is_told(console):
    try:
        return console.get("/healthz", source="127.0.1.1").status == 403
    except OSError:
        return False


def test_agents_get_no_handshake(make_leash, make_console):
    leash = make_leash()
    (leash.policy / "agents.yaml").write_text("agent_networks: [127.0.1.0/24]\n")
    console = make_console(leash, env={"LEASH_CONSOLE_TLS": "on"})
    console.wait_for_leaf(leash.ca_file)
    context = ssl.create_default_context(cafile=leash.ca_file)
    with socket.create_connection(console.address, 10, ("127.0.1.1", 0)) as sock:
        with pytest.raises(OSError):
            context.wrap_socket(sock, server_hostname="localhost")
    assert console.get("/healthz", cafile=leash.ca_file).status == 200


def test_unfinished_bodies_take_a_bounded_memory(make_console):
    console = make_console(policy_files={"agents.yaml": "agent_networks: [127.0.1.0/24]\n"})
    assert console.get("/healthz").status == 200
    before = console.rss_mib()
    size = 4_000_000
    head = (b"PUT /api/policy/file HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % size)
    unfinished = head + b" " * (size - 1)
    held = {"127.0.1.1": [], "127.0.0.9": []}

    def fill(source):
        for _ in range(60):
            held[source].append(socket.create_connection(console.address, 20, (source, 0)))
            try:
                held[source][-1].sendall(unfinished)
            except OSError:
                pass  # closed in the middle
    try:
        # An agent's bodies get no room.
        fill("127.0.1.1")
        wait_until(lambda: count_closed(held["127.0.1.1"]) == 60, "no room for an agent's")
        # Others that have their room stay: for as long as a request may take, so they are counted at once.
        fill("127.0.0.9")
        wait_until(lambda: 56 <= count_closed(held["127.0.0.9"]) <= 58, lambda: f"room for 2 to 4, not {60 - count_closed(held['127.0.0.9'])}")
        if not IS_SANITIZED:  # its memory is kept for a while when it has been freed
            assert console.rss_mib() - before < 64
        # Others have theirs, and the same address when it has given its own back.
        whole = json.dumps({"file": "enforce.yaml", "text": " " * 3_900_000, "etag": "x"})
        assert console.request("PUT", "/api/policy/file", whole, headers={"Content-Type": "application/json"}).status == 409
        for sock in held["127.0.0.9"]:
            sock.close()

        def put():
            try:
                return console.request("PUT", "/api/policy/file", whole, headers={"Content-Type": "application/json"},
                                       source="127.0.0.9").status == 409
            except OSError:
                return False
        wait_until(put, "room for a body")
        assert all(put() for _ in range(4))
    finally:
        for sock in held["127.0.0.9"] + held["127.0.1.1"]:
            sock.close()


def test_head_has_the_length_and_no_body(console):
    for path in (b"/healthz", b"/api/session", b"/"):
        head = b"HEAD " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection(console.address, 10) as sock:
            sock.sendall(head)
            data = b""
            while b"\r\n\r\n" not in data:
                data += sock.recv(65536)
            # The next answer on the connection begins where the first one's head ends.
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while chunk := sock.recv(65536):
                data += chunk
        first, _, rest = data.partition(b"\r\n\r\n")
        assert first.startswith((b"HTTP/1.1 200", b"HTTP/1.1 404")) and b"Content-Length: " in first
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n") and rest.endswith(b"\r\n\r\nok\n"), data
