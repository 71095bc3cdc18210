"""What shows later that the log is what leash wrote: checkpoints kept elsewhere, and proofs for those without the log."""

import json
import os
import random
import re
import runpy
import shutil
import subprocess
import sys
import threading

import pytest

from support.leash import LEASHCTL, ROOT
from support.wait import DEADLINE, IS_SANITIZED
from support.world import Way, World

SCRIPT = ROOT / "docs" / "verify_proof.py"


def ctl(*words, **env):
    """(exit code, stdout, stderr)"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LEASH_")}
    environment.update(env)
    done = subprocess.run([LEASHCTL, *map(str, words)], env=environment, capture_output=True, timeout=DEADLINE, text=True)
    return done.returncode, done.stdout, done.stderr


def pack(path, coding):
    """The path of the file as logrotate would leave it."""
    if coding == "plain":
        return path
    subprocess.run({"gz": ["gzip", "-k"], "zst": ["zstd", "-q"]}[coding] + [path], check=True, timeout=DEADLINE)
    return path.with_name(f"{path.name}.{coding}")


class Made:
    """A log that was rotated once, while a tunnel was open, and then ended; with a request before and one behind."""

    def __init__(self, leash, world):
        old = Way(leash, world, "tunnel")
        old.legal()
        self.tunnel = leash.log.wait_for(event="connect_allowed")["id"]
        leash.log.wait_for(event="allowed")
        leash.log_path.rename(leash.directory / "old.jsonl")
        way = Way(leash, world, "plain")
        way.legal()
        way.conn.close()
        self.request = leash.log.wait_for(event="allowed")["id"]
        old.conn.close()
        leash.log.wait_for(event="tunnel_closed")
        leash.stop()
        self.old, self.log = leash.directory / "old.jsonl", leash.log_path
        self.key = leash.ca_dir / "leash-audit-key.pub.pem"
        self.folder = leash.directory
        self.options = ["--policy-dir", leash.policy, "--log", leash.log_path, "--ca-dir", leash.ca_dir]


@pytest.fixture(scope="module")
def made(pki, module_leash):
    world = World(pki)
    yield Made(module_leash(mode="enforce", **world.options()), world)
    world.close()


def test_checkpoint_kept_elsewhere_shows_what_was_cut_off(made):
    code, witness, err = ctl("checkpoint", *made.options)
    assert code == 0, err
    (made.folder / "witness").write_text(witness)
    verify = ["verify", "--key", made.key, "--witness", made.folder / "witness"]
    code, out, err = ctl(*verify, made.old, made.log)
    assert code == 0 and "as witnessed through seq " in out, (out, err)
    lines = made.log.read_bytes().splitlines(keepends=True)
    shorter = made.folder / "shorter.jsonl"
    shorter.write_bytes(b"".join(lines[:-1]))
    assert ctl("verify", made.old, shorter)[0] == 0  # the chain alone does not show it
    code, out, _ = ctl(*verify, made.old, shorter)
    assert code == 1 and ": cut: the log ends with line " in out


@pytest.mark.parametrize("coding", ["plain", "gz", "zst"])
def test_lines_in_two_files_are_proven_in_one_document(made, coding, tmp_path):
    shutil.copy(made.old, tmp_path / "old")
    files = [pack(tmp_path / "old", coding), made.log]
    code, document, err = ctl("prove", made.tunnel, *files, *made.options)
    assert code == 0, err
    events = [json.loads(item["line"])["event"] for item in json.loads(document)["lines"]]
    assert events == ["connect_allowed", "tunnel_closed"]
    (tmp_path / "proof").write_text(document)
    for key in ([], ["--key", made.key]):
        code, out, err = ctl("verify-proof", tmp_path / "proof", *key)
        assert code == 0 and f"proven: 2 lines of {made.tunnel}" in out, (out, err)
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "proof", made.key], capture_output=True, timeout=DEADLINE)
    assert done.returncode == 0 and f"proven: 2 lines of {made.tunnel}".encode() in done.stdout, done
    code, _, err = ctl("prove", made.tunnel, made.log, *made.options)
    assert code == 1 and "older files" in err


def script_says(path, *keys):
    """What verify_proof.py would end with, without the start of a process."""
    argv, sys.argv = sys.argv, [str(SCRIPT), str(path), *map(str, keys)]
    try:
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return 0
    except SystemExit as end:
        return 1 if end.code else 0
    finally:
        sys.argv = argv


def tampered(document, source):
    """Documents that differ from a good one, each with what was done."""
    good = json.loads(document)
    text = json.dumps(good)

    def change(what):
        copy = json.loads(text)
        what(copy)
        return json.dumps(copy)
    line, other = good["lines"][0], good["lines"][1]
    yield "nothing", text
    yield "in other words", json.dumps(good, indent=3, sort_keys=True)
    yield "another id", change(lambda d: d.update(id="other"))
    yield "no lines", change(lambda d: d.update(lines=[]))
    yield "a number for an id", change(lambda d: d.update(id=1))
    yield "another format", change(lambda d: d.update(format="leash audit proof v2"))
    yield "a member more", change(lambda d: d.update(more=1))
    yield "a member less", change(lambda d: d.pop("keys"))
    yield "a member of a line more", change(lambda d: d["lines"][0].update(more=1))
    yield "the same member twice", text.replace('"id": ', '"id": "x", "id": ', 1)
    yield "a line less", change(lambda d: d["lines"].pop())
    yield "lines turned round", change(lambda d: d["lines"].reverse())
    yield "a line twice", change(lambda d: d["lines"].append(d["lines"][1]))
    yield "the other line's path", change(lambda d: d["lines"][0].update(path=other["path"]))
    yield "the other line", change(lambda d: d["lines"][0].update(line=other["line"]))
    yield "no path", change(lambda d: d["lines"][0].update(path=[]))
    yield "a longer path", change(lambda d: d["lines"][0]["path"].append(line["previous"]))
    yield "a path of text", change(lambda d: d["lines"][0].update(path=""))
    yield "checkpoint -1", change(lambda d: d["lines"][0].update(checkpoint=-1))
    yield "checkpoint 7", change(lambda d: d["lines"][0].update(checkpoint=7))
    yield "checkpoint 1.0", change(lambda d: d["lines"][0].update(checkpoint=1.0))
    yield "checkpoint false", change(lambda d: d["lines"][0].update(checkpoint=False))
    yield "upper case", change(lambda d: d["lines"][0].update(previous=line["previous"].upper()))
    yield "checkpoints in a dict", change(lambda d: d.update(checkpoints={c: 1 for c in d["checkpoints"]}))
    yield "a checkpoint's end", change(lambda d: d["checkpoints"].append(d["checkpoints"][0] + " "))
    yield "two signatures", change(lambda d: d["checkpoints"].append(
        re.sub(', "seq"', ', "sig": "AAAA", "seq"', d["checkpoints"][0])))
    yield "base64 with bits left over", change(lambda d: d.update(checkpoints=[
        re.sub('(.)=="', lambda m: chr(ord(m[1]) + 1) + '=="', c) for c in d["checkpoints"]]))
    yield "half of it", text[:len(text) // 2]
    yield "not UTF-8", text.replace(good["id"], "\udcff", 1)
    for number in range(20 if IS_SANITIZED else 40):
        at = source.randrange(len(text))
        yield f"byte {at}", text[:at] + source.choice('0123456789abcdef"{},: qQ') + text[at + 1:]


def test_script_and_leashctl_agree_on_every_tampered_proof(made, tmp_path):
    _, document, _ = ctl("prove", made.tunnel, made.old, made.log, *made.options)
    seed = random.randrange(1 << 32)
    held = 0
    for what, text in tampered(document, random.Random(seed)):
        path = tmp_path / "proof"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        for key in ([], [made.key]):
            said = ctl("verify-proof", path, *(["--key", made.key] if key else []))
            assert said[0] == script_says(path, *key), f"seed {seed}, {what}: {said}"
        if said[0] == 0:
            held += 1
            proven = json.loads(text)["lines"]
            assert proven in (json.loads(document)["lines"], json.loads(document)["lines"][:1]), (seed, what)
    assert 2 <= held < 100, seed


def test_what_a_kill_leaves_open_is_listed_at_the_next_start(make_leash, pki):
    world, gate = World(pki), threading.Event()
    world.tls.on("/held", lambda exchange: gate.wait(DEADLINE))
    leash = make_leash(mode="enforce", **world.options())
    way = Way(leash, world, "tunnel")
    way.legal()
    way.conn.send(f"GET /held HTTP/1.1\r\nHost: {way.host}\r\n\r\n".encode())
    held = leash.log.wait_for(event="request", url=f"https://{world.tls_authority}/held")
    code, out, _ = ctl("audit", "open", leash.log_path)
    assert code == 0 and out.count("  under way\n") == 2, out
    leash.kill()
    gate.set()
    leash.start()
    start = leash.log.wait_for(event="start", open=2)
    assert start["open_ids"] == [held["tunnel"], held["id"]] and "open_from" not in start
    code, out, _ = ctl("audit", "open", leash.log_path)
    assert code == 0 and out.count("  left open\n") == 2, out
    leash.stop()
    leash.start()  # told once
    assert "open" not in leash.log.wait_for(event="start", count=3)[2]
    leash.stop()
    world.close()
