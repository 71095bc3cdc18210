"""leashctl beside a running leash: what the operator types is what the next request meets."""

import os
import re
import shlex
import signal
import stat
import subprocess

import pytest

from support.leash import LEASHCTL
from support.wait import DEADLINE, wait_until
from support.world import Way, World, marker


@pytest.fixture
def world(pki):
    made = World(pki)
    yield made
    made.close()


@pytest.fixture
def leash(make_leash, world):
    return make_leash(mode="enforce", **world.options())


def options(leash):
    return ["--policy-dir", str(leash.policy), "--log", str(leash.log_path), "--ca-dir", str(leash.ca_dir),
            "--admin", f"{leash.admin[0]}:{leash.admin[1]}"]


def ctl(leash, *words, env=None, stdin=None):
    """(exit code, stdout, stderr)"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LEASH_")}
    environment.update(env or {})
    done = subprocess.run([LEASHCTL] + options(leash) + list(words), env=environment, input=stdin, capture_output=True,
                          timeout=DEADLINE, text=True)
    return done.returncode, done.stdout, done.stderr


def status_of(leash, authority, path="/"):
    with leash.connect() as conn:
        return conn.get(f"http://{authority}{path}", authority).status


def test_mode(leash, world):
    assert ctl(leash, "mode")[:2] == (0, "enforce\n")
    for mode, status in (("audit", 200), ("enforce", 403), ("blocklist", 403)):
        code, out, _ = ctl(leash, "mode", mode)
        assert code == 0 and out == f"mode \u2192 {mode}\n"
        assert (leash.policy / "mode").read_text() == mode + "\n"
        assert status_of(leash, world.denied_plain_authority) == status
    code, out, err = ctl(leash, "mode", "other")
    assert code == 1 and "unknown mode: other (must be one of: enforce audit blocklist)" in err
    assert ctl(leash, "mode", "enforce audit")[0] == 1
    assert (leash.policy / "mode").read_text() == "blocklist\n"


def test_unknown_command(leash):
    code, _, err = ctl(leash, "frobnicate")
    assert code == 1 and "leashctl: unknown command: frobnicate (see 'leashctl help')" in err


@pytest.mark.parametrize("words", [[], ["help"], ["-h"], ["--help"]], ids=repr)
def test_help(leash, words):
    code, out, _ = ctl(leash, *words)
    assert code == 0 and "mode" in out and "edit" in out


def test_allow_and_remove(leash, world):
    port = str(world.denied_plain.port)
    assert status_of(leash, world.denied_plain_authority) == 403
    code, out, err = ctl(leash, "allow", world.DENIED, "--port", port, "--reason", "for a test")
    assert code == 0, err
    assert status_of(leash, world.denied_plain_authority) == 200
    assert "for a test" in leash.log.wait_for(event="allowed", host=world.DENIED).values()
    code, _, err = ctl(leash, "remove", world.DENIED, "--from", "enforce")
    assert code == 0, err
    assert status_of(leash, world.denied_plain_authority) == 403


def test_allow_a_path_only(leash, world):
    code, _, err = ctl(leash, "allow", world.DENIED, "--port", str(world.denied_plain.port), "--method", "GET", "--prefix", "/ok/")
    assert code == 0, err
    assert status_of(leash, world.denied_plain_authority, "/ok/x") == 200
    assert status_of(leash, world.denied_plain_authority, "/no") == 403


def test_block(leash, world):
    ctl(leash, "mode", "blocklist")
    assert status_of(leash, world.plain_authority) == 200
    code, _, err = ctl(leash, "block", world.ALLOWED)
    assert code == 0, err
    assert status_of(leash, world.plain_authority) == 403


def test_comments_and_modes_survive(leash, world):
    path = leash.policy / "enforce.yaml"
    path.write_text(f"# who, why\nallow:\n  # the first\n  - host: {world.ALLOWED}   # keep me\n    ports: [{world.plain.port}]\nextra: kept\n")
    path.chmod(0o640)
    assert ctl(leash, "allow", "new.test")[0] == 0
    text = path.read_text()
    for word in ("# who, why", "# the first", "# keep me", "extra: kept", "new.test"):
        assert word in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert status_of(leash, world.plain_authority) == 200


@pytest.mark.parametrize("host", ["", "a b", "x\ny", "a/b", "http://x.test/", "x.test:80", "*", "[::1", "..", "a@b"])
def test_bad_host_is_refused(leash, host):
    before = (leash.policy / "enforce.yaml").read_bytes()
    code, _, err = ctl(leash, "allow", host)
    assert code != 0 and err.startswith("leashctl: ")
    assert (leash.policy / "enforce.yaml").read_bytes() == before


def test_broken_file_is_left_alone(leash):
    path = leash.policy / "enforce.yaml"
    path.write_text("allow: [\n")
    code, _, err = ctl(leash, "allow", "new.test")
    assert code == 1 and "enforce.yaml" in err
    assert path.read_text() == "allow: [\n"


def test_check_agrees_with_the_proxy(leash, world):
    word = marker()
    for mode in ("enforce", "audit", "blocklist"):
        ctl(leash, "mode", mode)
        for authority in (world.plain_authority, world.denied_plain_authority, f"other.test:{world.plain.port}"):
            passes = status_of(leash, authority, f"/{word}") == 200
            code, out, err = ctl(leash, "check", f"http://{authority}/{word}")
            assert code == (0 if passes else 1), (mode, authority, out, err)


def test_lint(leash):
    assert ctl(leash, "lint")[0] == 0
    (leash.policy / "enforce.yaml").write_text("allow:\n  - host: good.test\n  - host: bad.test\n    ports: [none]\n")
    code, out, err = ctl(leash, "lint")
    assert code == 1 and re.search(r"enforce\.yaml:[34]", out + err)


def test_lint_warns_of_public_suffixes(leash):
    """13"""
    leash.set_allow([{"host": "*.github.io"}])
    _, out, err = ctl(leash, "lint")
    assert "github.io" in out + err


def test_env_is_what_a_shell_can_read(leash, world):
    code, out, _ = ctl(leash, "env", "--proxy", leash.url)
    assert code == 0
    values = dict(shlex.split(line)[1].split("=", 1) for line in out.splitlines() if line.startswith("export "))
    assert values["HTTPS_PROXY"] == values["http_proxy"] == leash.url
    assert values["SSL_CERT_FILE"] == leash.ca_file
    done = subprocess.run(["sh", "-c", f"{out}\nunset NO_PROXY no_proxy; curl -sS https://{world.tls_authority}/"], capture_output=True, timeout=DEADLINE)
    assert done.stdout == b"ok", done.stderr


def test_ca(leash):
    code, out, _ = ctl(leash, "ca", "--print")
    assert code == 0 and out.strip() == open(leash.ca_file).read().strip()
    assert "PRIVATE" not in out
    code, out, _ = ctl(leash, "ca")
    assert code == 0 and leash.ca_file in out


def test_tail(leash, world):
    status_of(leash, world.denied_plain_authority, "/first")
    leash.log.wait_for(event="blocked")
    code, out, _ = ctl(leash, "tail", "-n", "50")
    assert code == 0 and world.DENIED in out and "not_in_allowlist" in out


def test_tail_follows(leash, world):
    process = subprocess.Popen([LEASHCTL] + options(leash) + ["tail", "-f"], stdout=subprocess.PIPE, text=True)
    try:
        seen = []
        import threading
        threading.Thread(target=lambda: seen.extend(iter(process.stdout.readline, "")), daemon=True).start()
        word = marker()
        wait_until(lambda: status_of(leash, world.denied_plain_authority, f"/{word}") == 403 and any(word in line for line in seen))
        os.rename(leash.log_path, leash.log_dir / "old.jsonl")
        word = marker()
        wait_until(lambda: status_of(leash, world.denied_plain_authority, f"/{word}") == 403 and any(word in line for line in seen))
    finally:
        process.terminate()
        process.wait(DEADLINE)


def test_terminal_escapes_stay_in_the_log(leash, world):
    """99"""
    leash.set_mode("audit")
    with leash.connect() as conn:
        conn.get(f"http://{world.plain_authority}/x", world.plain_authority, headers=[("X-A", "\x9b31m")])
        conn.send(f"GE\x1b[31mT http://{world.plain_authority}/ HTTP/1.1\r\nHost: {world.plain_authority}\r\n\r\n")
        conn.response()
    leash.log.wait_for(event="error")
    for words in (["tail", "-n", "50"], ["audit"], ["top"], ["status"]):
        _, out, err = ctl(leash, *words)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out + err), words


def test_status(leash):
    # It waits two seconds for the admin listener, which a loaded machine may well take.
    out = wait_until(lambda: next((out for code, out, _ in [ctl(leash, "status")] if code == 0), None), "a status without complaints")
    assert "enforce" in out and "ready" in out
    leash.stop()
    code, out, _ = ctl_without(leash, "status")
    assert code == 1


def ctl_without(leash, *words):
    """The same when leash has gone: its admin address is one where nobody listens."""
    leash.admin = ("127.0.0.1", 1)
    return ctl(leash, *words)


def test_verify(leash, world):
    for via in ("plain", "tunnel"):
        way = Way(leash, world, via)
        way.legal()
        way.conn.close()
    leash.stop()
    leash.admin = ("127.0.0.1", 1)
    code, out, err = ctl(leash, "verify", str(leash.log_path))
    assert code == 0, (out, err)
    data = leash.log_path.read_bytes()
    lines = data.split(b"\n")
    for name, changed in {"a line gone": b"\n".join(lines[:2] + lines[3:]),
                          "a byte changed": data.replace(b'"port": ', b'"port": 1', 1),
                          "lines swapped": b"\n".join([lines[0], lines[2], lines[1]] + lines[3:])}.items():
        bad = leash.directory / "bad.jsonl"
        bad.write_bytes(changed)
        code, out, err = ctl(leash, "verify", str(bad))
        assert code == 1, name
        assert re.search(r"\b[123]\b", out + err), (name, out, err)


def test_edit(leash):
    editor = leash.directory / "editor"
    editor.write_text("#!/bin/sh\nprintf 'allow:\\n  - host: edited.test\\n' > \"$1\"\n")
    editor.chmod(0o755)
    code, out, err = ctl(leash, "edit", env={"EDITOR": str(editor)})
    assert code == 0, err
    assert out.strip().startswith("enforce.yaml saved") and "edited.test" in (leash.policy / "enforce.yaml").read_text()
    editor.write_text("#!/bin/sh\nprintf 'allow: [' > \"$1\"\n")
    code, _, err = ctl(leash, "edit", "blocklist", env={"EDITOR": str(editor)})
    assert code == 1 and "not valid YAML" in err
    ctl(leash, "mode", "audit")
    assert ctl(leash, "edit", env={"EDITOR": "true"})[0] == 1
    assert ctl(leash, "edit", "agents", env={"EDITOR": "true"})[0] == 1


def test_learn_from_an_audit_run(leash, world):
    """What a run in audit mode used is what enforce lets through afterwards, and nothing else."""
    (leash.policy / "enforce.yaml").write_text("# mine\nallow: []\n")
    ctl(leash, "mode", "audit")
    word = marker()
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        for number in range(6):
            assert conn.get(f"/v1/items/{number}?q={word}", world.tls_authority).status == 200
        assert conn.get("/v1/other", world.tls_authority, method="POST", body=b"x").status == 200
    assert status_of(leash, world.denied_plain_authority, "/{a}'&*!,x:") == 200
    wait_until(lambda: len(leash.log.lines(event="allowed")) == 8, "eight outcomes")
    code, out, err = ctl(leash, "learn")
    assert code == 0 and f"+  - host: {world.ALLOWED}\n" in out, (out, err)
    assert word not in out
    assert (leash.policy / "enforce.yaml").read_text() == "# mine\nallow: []\n"
    code, out, err = ctl(leash, "learn", "--apply")
    assert code == 0 and out.startswith("enforce.yaml: 2 entries added"), (out, err)
    assert (leash.policy / "enforce.yaml").read_text().startswith("# mine\nallow:\n  # ")
    assert "0 errors" in ctl(leash, "lint")[1]
    ctl(leash, "mode", "enforce")
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        assert conn.get("/v1/items/77", world.tls_authority).status == 200
        assert conn.get("/v1/other", world.tls_authority, method="POST", body=b"x").status == 200
        assert conn.get("/v2/items", world.tls_authority).status == 403
        assert conn.get("/v1/items/1", world.tls_authority, method="DELETE").status == 403
    assert status_of(leash, world.denied_plain_authority) == 200
    assert status_of(leash, f"other.test:{world.plain.port}") == 403
    assert ctl(leash, "learn", "--since", "1h")[1] == ""


def test_report_of_a_real_log(leash, world):
    """The page says what happened and that the log is whole, by the key in the CA directory."""
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        assert conn.get("/upload?token=tell-no-one", world.tls_authority, method="POST", body=b"x" * 5000).status == 200
        assert conn.get("/%3Cscript%3E<b>'", world.tls_authority).status in (200, 400)
    assert status_of(leash, world.denied_plain_authority, "/secret-plans") == 403
    leash.log.wait_for(event="tunnel_closed")
    leash.stop()
    leash.admin = ("127.0.0.1", 1)
    page = leash.directory / "report.html"
    code, out, err = ctl(leash, "report", "--html", str(page))
    assert (code, out, err) == (0, "", "")
    text = page.read_text()
    for part in ("Log whole and signed", "not_in_allowlist", world.DENIED, "/secret-plans", "4.9 KiB", "Egress report"):
        assert part in text, part
    assert "tell-no-one" not in text and "<b>'" not in text and "<script" not in text
    leash.log_path.write_bytes(leash.log_path.read_bytes().replace(b"secret-plans", b"public-plans"))
    code, out, err = ctl(leash, "report", "--html", str(page))
    assert code == 0 and "not whole" in err
    assert "Log not whole" in page.read_text() and "changed" in page.read_text()
