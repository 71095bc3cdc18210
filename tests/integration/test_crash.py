"""No record, no egress: when leash is killed, when the power goes, when the disk fails, when the log is taken away."""

import hashlib
import json
import os
import random
import subprocess
import time

import pytest

from support.leash import LEASHCTL
from support.load import Load, paths_asked, seen, seen_count, without_intent
from support.log import CHAIN_MARK, check_chain
from support.wait import DEADLINE, IS_SANITIZED, wait_until
from support.world import Way, World

ROUNDS = int(os.environ.get("LEASH_CRASH_ROUNDS", "10" if IS_SANITIZED else "200"))


@pytest.fixture
def world(pki):
    made = World(pki)
    yield made
    made.close()


def parsed(raw_lines):
    return [json.loads(line) for line in raw_lines]


def verify(leash, *paths, key=True):
    with_key = ["--key", str(leash.ca_dir / "leash-audit-key.pub.pem")] if key else []
    done = subprocess.run([LEASHCTL, "verify", *map(str, paths or [leash.log_path]), *with_key], capture_output=True,
                          timeout=DEADLINE, text=True)
    return done.returncode, done.stdout + done.stderr


class Follower:
    """Checks the log piece by piece as it grows, each line once."""

    def __init__(self, path):
        self.path, self.offset, self.last = path, 0, None

    def more(self):
        """The whole lines since the last call; their chain holds on to those before."""
        with open(self.path, "rb") as log:
            log.seek(self.offset)
            data = log.read()
        data = data[:data.rfind(b"\n") + 1]
        self.offset += len(data)
        lines = data.split(b"\n")[:-1]
        check_chain_from(self.last, lines)
        self.last = lines[-1] if lines else self.last
        return lines


def check_chain_from(before, lines):
    previous, expected = bytes(32), 1
    if before is not None:
        line = json.loads(before)
        previous, expected = bytes.fromhex(line["chain"]), line["seq"] + 1
    for raw in lines:
        line = json.loads(raw)
        assert line["seq"] == expected, f"seq {line['seq']}, not {expected}"
        previous = hashlib.sha256(previous + raw[:raw.rindex(CHAIN_MARK)]).digest()
        assert line["chain"] == previous.hex(), f"the chain is broken at seq {expected}"
        expected += 1


def test_killed_at_any_moment(make_leash, world):
    """Two hundred times under load: what an origin saw is on record, the chain holds, it starts again."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    leash = make_leash(mode="enforce", args=["--workers", "2"], **world.options())
    log = Follower(leash.log_path)
    asked = set()
    for turn in range(ROUNDS):
        if turn:
            leash.start()
        load = Load(leash, world, 3)
        enough = seen_count(world) + chance.randrange(1, 25)
        wait_until(lambda: seen_count(world) >= enough, f"load in round {turn}, seed {seed}")
        time.sleep(chance.random() * 0.004)  # not to be safe: the moment is what is drawn
        leash.kill()
        load.stop()
        # An origin's thread may come to a request of this round only in the next one, so what was asked is kept.
        asked.update(paths_asked(parsed(log.more())))
        missing = sorted(set(seen(world)) - asked)
        assert not missing, f"round {turn}, seed {seed}: origins saw {missing[:5]} without a record"
    leash.start()
    way = Way(leash, world, "plain")
    way.legal()
    way.conn.close()
    leash.stop()
    asked.update(paths_asked(parsed(log.more())))
    code, text = verify(leash)
    assert code == 0, (seed, text)
    assert len(asked) > ROUNDS and not set(seen(world)) - asked


# The disk


@pytest.mark.parametrize("rotates", [False, True], ids=["one file", "rotating"])
def test_power_cut_with_sync(make_disk_leash, world, rotates):
    """What an origin has seen is among the bytes that fdatasync has put on the disk, in a file whose name is there, too."""
    env = {"LEASH_AUDIT": "sync"}
    if rotates:
        env["LEASH_LOG_MAX_MB"] = "1"
    leash = make_disk_leash(mode="enforce", env=env, **world.options())
    if rotates:
        big = os.urandom(200_000).hex().encode()
        with leash.connect() as conn:
            for number in range(4):
                conn.get(f"http://{world.plain_authority}/big{number}", world.plain_authority, method="POST", body=big)
        wait_until(lambda: list(leash.log_dir.glob("*.seq*")))
    for _ in range(2 if IS_SANITIZED else 5):
        load = Load(leash, world, 4)
        enough = seen_count(world) + 60
        wait_until(lambda: seen_count(world) >= enough)
        leash.kill()
        load.stop()
        files = leash.surviving()
        if rotates:
            files.setdefault("egress.jsonl", b"")  # killed between the old file's new name and the new file
        lines = []
        for name in sorted(name for name in files if name.startswith("egress.jsonl.seq")) + ["egress.jsonl"]:
            lines += unpacked(files[name]).split(b"\n")[:-1]
        check_chain(lines)
        assert json.loads(lines[0])["seq"] == 1
        assert not without_intent(seen(world), parsed(lines))
        # The file itself has at least that much: the image is not a dream. It may have got its new name meanwhile.
        places = [leash.log_path] + sorted(leash.log_dir.glob("egress.jsonl.seq*"))[-1:]
        assert any(unpacked(path.read_bytes()).startswith(files["egress.jsonl"]) for path in places if path.exists())
        leash.start()


def unpacked(data):
    if data[:4] != b"\x28\xb5\x2f\xfd":
        return data
    return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def test_power_cut_without_sync_would_show(make_disk_leash, world):
    """The test above can fail: with `write`, nothing has been put on the disk."""
    leash = make_disk_leash(mode="enforce", env={"LEASH_AUDIT": "write"}, **world.options())
    way = Way(leash, world, "plain")
    way.legal()
    way.conn.close()
    leash.kill()
    assert not leash.surviving().get("egress.jsonl")
    leash.start()


def endure(leash, world, break_it, mend_it, refuses=True):
    """Under load: breaks, waits for 503, mends, waits for traffic. What left is on record, what was refused did not leave."""
    load = Load(leash, world, 4, returns=True)
    try:
        wait_until(lambda: load.count(200) > 20)
        break_it()
        if refuses:
            wait_until(lambda: load.count(503) > 5, lambda: f"503; leash says {leash.stderr()}")
            assert leash.admin_get("/readyz")[0] == 503
            assert "leash_audit_writable 0" in leash.admin_get("/metrics")[1]
        mend_it()
        good = load.count(200)
        wait_until(lambda: load.count(200) > good + 20, lambda: f"traffic by itself; leash says {leash.stderr()}")
        wait_until(lambda: leash.admin_get("/readyz")[0] == 200)
    finally:
        load.stop()
    paths = set(seen(world))
    refused = [word for word, status in load.answers.items() if status == 503]
    assert not [word for word in refused if f"/{word}" in paths], "refused, and it left all the same"
    assert bool(refused) == refuses
    leash.stop()
    return sorted(paths)


@pytest.mark.parametrize("fault,level", [("write ENOSPC", "write"), ("write EIO", "write"), ("write EIO", "sync"),
                                         ("fdatasync EIO", "sync")])
def test_disk_that_fails_under_load(make_disk_leash, world, fault, level):
    leash = make_disk_leash(mode="enforce", env={"LEASH_AUDIT": level}, **world.options())
    paths = endure(leash, world, lambda: leash.set_fault(fault), leash.heal)
    assert not without_intent(paths, leash.log.lines())
    leash.log.check_chain()
    assert verify(leash)[0] == 0


def in_namespace(leash, *command):
    enter = ["nsenter", "-t", str(leash.pid), "-m"] if os.geteuid() == 0 else ["nsenter", "-t", str(leash.pid), "-U", "-m", "--preserve-credentials"]
    done = subprocess.run(enter + list(command), capture_output=True, text=True, timeout=DEADLINE)
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


def test_file_system_that_becomes_read_only(make_leash, world):
    """A read-only one is mounted over the folder: the log can neither be found nor made."""
    leash = make_leash(mode="enforce", **world.options())
    in_namespace(leash, "true")
    paths = endure(leash, world, lambda: in_namespace(leash, "mount", "-t", "tmpfs", "-o", "ro", "none", str(leash.log_dir)),
                   lambda: in_namespace(leash, "umount", str(leash.log_dir)))
    assert not without_intent(paths, leash.log.lines())
    leash.log.check_chain()


def test_log_moved_under_load(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    moved = leash.log_dir / "moved.jsonl"
    paths = endure(leash, world, lambda: os.rename(leash.log_path, moved), lambda: None, refuses=False)
    lines = moved.read_bytes().split(b"\n")[:-1] + leash.log.raw_lines()
    check_chain(lines)
    assert not without_intent(paths, parsed(lines))
    assert verify(leash, moved, leash.log_path)[0] == 0


@pytest.mark.parametrize("how", ["deleted", "truncated"])
def test_log_taken_away_under_load(make_leash, world, how):
    """What was in it is gone; what comes is on record, and its numbers show how much is missing."""
    leash = make_leash(mode="enforce", **world.options())
    gone = []

    def take():
        if how == "deleted":
            # A name more, so that what was in the deleted file can be looked at.
            os.link(leash.log_path, leash.log_dir / "other-name")
            os.unlink(leash.log_path)
        else:
            os.truncate(leash.log_path, 0)
            gone.extend(seen(world))  # only now: between the two more may come, and be gone
    paths = endure(leash, world, take, lambda: None, refuses=False)
    lines = leash.log.raw_lines()
    numbers = [json.loads(line)["seq"] for line in lines]
    assert numbers[0] > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    missing = without_intent(paths, parsed(lines))
    if how == "deleted":
        assert not without_intent(missing, parsed((leash.log_dir / "other-name").read_bytes().split(b"\n")[:-1]))
    else:
        # Lines of before, and of the moment itself: their requests had left or were about to.
        assert len(missing) <= len(gone) + 50
    # Of the chain alone: whether a checkpoint covers what is left depends on when the last one was.
    code, text = verify(leash, key=False)
    assert code == 0 and f"the lines before seq {numbers[0]} are in files that were not named" in text, text
