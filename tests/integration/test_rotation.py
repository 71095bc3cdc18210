"""The log over many files: leash's own rotation and Debian's logrotate; seq and chain run through."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from support.leash import LEASHCTL
from support.log import Log, check_chain
from support.origin import message, raw
from support.wait import DEADLINE, wait_until
from support.world import World, marker


@pytest.fixture
def world(pki):
    made = World(pki)
    yield made
    made.close()


def rotated(leash):
    """leash's own, the oldest first."""
    return sorted(leash.log_dir.glob("egress.jsonl.seq*"))


def unpacked(path):
    data = path.read_bytes()
    return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout if data[:4] == b"\x28\xb5\x2f\xfd" else data


def all_lines(paths):
    return [line for path in paths for line in unpacked(path).split(b"\n")[:-1]]


def ctl(*args):
    return subprocess.run([LEASHCTL, *map(str, args)], capture_output=True, timeout=DEADLINE, text=True)


def verify(leash, paths):
    return ctl("verify", *paths, "--key", leash.ca_dir / "leash-audit-key.pub.pem")


def fill(leash, world, count, path="/fill"):
    """Requests whose bodies put some 300 KiB each into the log."""
    body = os.urandom(150_000).hex().encode()
    world.plain.on(path, raw(message(body=b"ok"), close=False))
    with leash.connect() as conn:
        for _ in range(count):
            answer = conn.get(f"http://{world.plain_authority}{path}", world.plain_authority, method="POST", body=body)
            assert answer.status == 200


def test_log_rotates_by_size(make_leash, world):
    """Packed off the way of traffic; each file ends with a checkpoint; verify and audit read them all as one."""
    leash = make_leash(mode="enforce", env={"LEASH_LOG_MAX_MB": "1"}, **world.options())
    fill(leash, world, 12)
    wait_until(lambda: len(rotated(leash)) >= 2 and all(path.suffix == ".zst" for path in rotated(leash)))
    leash.stop()
    files = rotated(leash) + [leash.log_path]
    lines = all_lines(files)
    check_chain(lines)
    assert json.loads(lines[0])["seq"] == 1
    assert sum(b'"event": "allowed"' in line for line in lines) == 12
    for path in rotated(leash):
        last = json.loads(all_lines([path])[-1])
        # one that was rotated while leash stopped is packed after the next start
        assert last["event"] == "checkpoint" and path.name.removesuffix(".zst") == f"egress.jsonl.seq{last['seq']:012}"
        assert path.stat().st_mode & 0o777 == 0o640
        assert path.suffix != ".zst" or path.stat().st_size < 1 << 20
    done = verify(leash, files)
    assert done.returncode == 0 and f"whole: {len(lines)} lines" in done.stdout, done
    # also with the rotated ones alone, and with their beginning missing
    assert verify(leash, files[:-1]).returncode == 0
    assert verify(leash, files[1:]).returncode == 0
    # a file that is missing between two is named
    if len(files) > 2:
        assert verify(leash, [files[0], files[2]]).returncode == 1
    listed = ctl("audit", *files)
    assert listed.returncode == 0 and listed.stdout.count("/fill") >= 12


def test_only_the_newest_files_are_kept(make_leash, world):
    leash = make_leash(mode="enforce", settings={"log_max_mb": 1, "log_keep": 1}, **world.options())
    fill(leash, world, 12)
    wait_until(lambda: len(rotated(leash)) == 1 and rotated(leash)[0].suffix == ".zst")
    leash.stop()
    lines = all_lines(rotated(leash) + [leash.log_path])
    check_chain_from_middle(lines)
    done = verify(leash, rotated(leash) + [leash.log_path])
    assert done.returncode == 0, done


def check_chain_from_middle(lines):
    numbers = [json.loads(line)["seq"] for line in lines]
    assert numbers[0] > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_restart_goes_on_behind_rotated_files(make_leash, world):
    leash = make_leash(mode="enforce", env={"LEASH_LOG_MAX_MB": "1"}, **world.options())
    for _ in range(2):
        fill(leash, world, 5)
        leash.kill()
        leash.start()
    # as a crash between the two steps of a rotation leaves it
    leash.stop()
    last = json.loads(leash.log.raw_lines()[-1])["seq"]
    os.rename(leash.log_path, leash.log_dir / f"egress.jsonl.seq{last:012}")
    (leash.log_dir / ".egress.jsonl.seq000000000001.pack").write_bytes(b"half")
    leash.start()
    wait_until(lambda: all(path.suffix == ".zst" for path in rotated(leash)))
    assert not list(leash.log_dir.glob(".*"))
    leash.stop()
    check_chain(all_lines(rotated(leash) + [leash.log_path]))


# Debian's logrotate


def logrotate(leash, *directives, force=True):
    config = leash.directory / "logrotate.conf"
    config.write_text(f"{leash.log_path} {{\n" + "\n".join(("rotate 9", "su root root" if os.geteuid() == 0 else "") + directives) + "\n}\n")
    config.chmod(0o600)
    done = subprocess.run([shutil.which("logrotate", path="/usr/sbin:" + os.environ["PATH"]), "-s", str(leash.directory / "state"),
                           "-f" if force else "-v", str(config)], capture_output=True, timeout=DEADLINE, text=True)
    assert done.returncode == 0, done.stderr


def ask(leash, world):
    word = marker()
    with leash.connect() as conn:
        assert conn.get(f"http://{world.plain_authority}/{word}", world.plain_authority).status == 200
    return word


needs_logrotate = pytest.mark.skipif(shutil.which("logrotate", path="/usr/sbin:" + os.environ["PATH"]) is None,
                                     reason="logrotate is not installed")


@needs_logrotate
@pytest.mark.parametrize("directives", [("create 0640",), ("nocreate",), ("create 0640", "compress")], ids=" ".join)
def test_logrotate_by_renaming(make_leash, world, directives):
    """With the SIGHUP of postrotate; no line is lost, and verify reads the files as one."""
    leash = make_leash(mode="enforce", **world.options())
    words = []
    for _ in range(3):
        words.append(ask(leash, world))
        leash.log.wait_for(event="allowed", url=lambda url: url and words[-1] in url)
        logrotate(leash, *directives, "postrotate", f"kill -HUP {leash.pid}", "endscript")
    words.append(ask(leash, world))
    leash.stop()
    old = sorted(leash.log_dir.glob("egress.jsonl.*"), key=lambda path: -int(path.name.split(".")[2]))
    assert len(old) == 3
    done = verify(leash, old + [leash.log_path])
    assert done.returncode == 0, done
    listed = ctl("audit", *old, leash.log_path).stdout
    assert all(listed.count(word) for word in words)
    if "compress" not in directives:
        check_chain([line for path in old + [leash.log_path] for line in Log(path).raw_lines()])
    assert leash.log_path.stat().st_mode & 0o777 == 0o640


@needs_logrotate
def test_logrotate_by_copying(make_leash, world):
    """copytruncate while nothing is written loses nothing either."""
    leash = make_leash(mode="enforce", **world.options())
    words = []
    for _ in range(3):
        words.append(ask(leash, world))
        leash.log.wait_for(event="allowed", url=lambda url: url and words[-1] in url)
        logrotate(leash, "copytruncate")
    words.append(ask(leash, world))
    leash.stop()
    old = sorted(leash.log_dir.glob("egress.jsonl.*"), key=lambda path: -int(path.name.split(".")[2]))
    assert len(old) == 3
    lines = [line for path in old + [leash.log_path] for line in Log(path).raw_lines()]
    check_chain(lines)
    assert json.loads(lines[0])["seq"] == 1 and all(word.encode() in b"".join(lines) for word in words)
    assert verify(leash, old + [leash.log_path]).returncode == 0


def test_hup_opens_the_log_anew(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    ask(leash, world)
    os.rename(leash.log_path, leash.log_dir / "old.jsonl")
    leash.signal(signal.SIGHUP)
    wait_until(leash.log_path.exists)
