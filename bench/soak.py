#!/usr/bin/python3
"""Keeps leash busy with everything at once, and watches its memory: bench/soak.py [--minutes 30].

    make build && ninja -C build bench/load && sudo bench/soak.py

Kept tunnels, new connections, names never seen, downloads, uploads, echoes, plain HTTP, HTTP/2 streams, requests that are
refused, and a policy that is rewritten every few seconds, as loads that follow one another in five lanes. At the end: no
request but the refused ones failed, the log is whole, and memory has not grown by more than 5 % since the warm-up.

The log of half an hour would be a hundred gigabytes. It is moved away every twenty seconds as logrotate does it, each part is
verified together with the one behind it, and then the older one goes: so every line is checked, and every seam.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rig import peers  # noqa: E402
from rig.origin import Origin  # noqa: E402
from rig.places import BUILD, DOMAIN, Program, free_port, wait_for_port  # noqa: E402


class Soak:
    def __init__(self, leash, minutes):
        self.leash = leash
        self.end = time.monotonic() + minutes * 60
        self.minutes = minutes
        self.lock = threading.Lock()
        self.answers = {}
        self.problems = []
        self.flips = 0
        self.parts = []  # of the log, moved away and not yet given up
        self.verified = 0  # through this line

    def is_over(self):
        return time.monotonic() >= self.end or self.leash.running.process.poll() is not None

    def note(self, lane, answers, problem=None):
        with self.lock:
            self.answers[lane] = self.answers.get(lane, 0) + answers
            if problem:
                self.problems.append(f"{lane}: {problem}")

    def load(self, lane, flags, plain=False, refused=False):
        leash, origin = self.leash, self.leash.origin
        command = [BUILD / "bench" / "load", "--proxy", f"127.0.0.1:{leash.port}", "--pattern",
                   f"h%d.{DOMAIN}" if not refused else "h%d.refused.test", "--timeout", 60, "--port",
                   origin.http if plain else origin.tls, "--warm-up", 0]
        command += ["--plain"] if plain else ["--ca", leash.ca]
        done = subprocess.run([str(word) for word in command] + flags.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            self.note(lane, 0, done.stderr.decode(errors="replace"))
            return
        result = json.loads(done.stdout)
        if refused:
            # While the mode is audit they pass, and there is no such name.
            is_refused = not result["answers"] and set(result["error_kinds"]) <= {"status 403", "status 502"}
            self.note(lane, result["errors"], None if is_refused else f"{result}")
        else:
            self.note(lane, result["answers"], f"{result['error_kinds']}" if result["errors"] else None)

    def lane(self, loads):
        for work in itertools.cycle(loads):
            if self.is_over():
                return
            work()

    def h2(self, port):
        done = subprocess.run(["h2load", "-n", "3000", "-c", "2", "-m", "50", f"--connect-to=127.0.0.1:{port}",
                               f"https://h0.{DOMAIN}:{self.leash.origin.h2}/1k"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = done.stdout.decode(errors="replace")
        self.note("HTTP/2", 3000, None if "3000 succeeded" in text else text[-400:])

    def flip(self):
        """The rules are put in place anew, with an entry more or less, and the mode goes there and back."""
        policy = self.leash.directory / "policy"
        rules = (policy / "enforce.yaml").read_text()
        for turn in itertools.count():
            if self.is_over():
                return
            extra = "".join(f"  - host: extra{i}.test\n" for i in range(turn % 50))
            for name, text in (("enforce.yaml", rules + extra), ("mode", ("audit\n", "enforce\n")[turn % 10 != 5])):
                new = policy / f".{name}.new"
                new.write_text(text)
                os.replace(new, policy / name)
            self.flips += 1
            time.sleep(3)

    def move_log(self):
        log, number = self.leash.directory / "log" / "egress.jsonl", 0
        while not self.is_over():
            time.sleep(min(20, max(0, self.end - time.monotonic())))
            part = log.with_name(f"part-{number:06}")
            os.rename(log, part)
            os.kill(self.leash.running.pid, signal.SIGHUP)
            while not log.exists() and self.leash.running.process.poll() is None:
                time.sleep(0.01)
            self.parts.append(part)
            if len(self.parts) == 2:
                self.verify(self.parts)
                self.parts.pop(0).unlink()
            number += 1

    def verify(self, parts):
        """They are whole and one chain, and no line between this call and the one before is missing."""
        done = subprocess.run([BUILD / "leashctl", "verify", *map(str, parts), "--key",
                               str(self.leash.directory / "ca" / "leash-audit-key.pub.pem")], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        text = done.stdout.decode(errors="replace").strip()
        found = re.search(r"^whole: \d+ lines, seq (\d+) to (\d+), (\d+) checkpoints", text, re.MULTILINE)
        if done.returncode == 0 and found and int(found[1]) <= self.verified + 1:
            self.verified = int(found[2])
        else:
            self.note("log", 0, f"behind line {self.verified}: {text}")

    def resident_kib(self):
        status = Path(f"/proc/{self.leash.running.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def run(self, h2_port):
        fixed = [
            [lambda: self.load("kept", "--mode kept --connections 32 --names 32 --seconds 10"),
             lambda: self.load("new", "--mode new --connections 8 --names 16 --seconds 10")],
            [lambda: self.load("resumed", "--mode new --connections 8 --names 16 --seconds 10 --resume"),
             lambda: self.load("names", "--mode mint --connections 4 --requests 400 --first-name 20000")],
            [lambda: self.load("down", "--mode bulk --connections 4 --requests 8 --path /10m --expect 10485760"),
             lambda: self.load("up", "--mode bulk --connections 4 --requests 8 --path /sink --post 10485760 --expect 2"),
             lambda: self.load("echo", "--mode kept --connections 8 --names 8 --seconds 10 --path /echo --post 20000 --echo")],
            [lambda: self.load("plain", "--mode kept --connections 16 --names 16 --seconds 10", plain=True),
             lambda: self.load("idle", "--mode idle --connections 8 --requests 500 --hold 3"),
             lambda: self.load("paced", "--mode paced --connections 16 --rate 100 --seconds 10")],
            [lambda: self.h2(h2_port), lambda: self.load("refused", "--mode new --connections 8 --seconds 2", refused=True)],
        ]
        threads = [threading.Thread(target=self.lane, args=(loads,), daemon=True) for loads in fixed]
        threads += [threading.Thread(target=work, daemon=True) for work in (self.flip, self.move_log)]
        for thread in threads:
            thread.start()
        samples = []
        while not self.is_over():
            samples.append((time.monotonic(), self.resident_kib()))
            time.sleep(5)
        for thread in threads:
            thread.join()
        return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    directory = Path(tempfile.mkdtemp(prefix="leash-soak-"))
    directory.chmod(0o755)
    (directory / "origin").mkdir()
    try:
        origin = Origin(directory / "origin")
        leash = peers.Leash(origin, directory / "leash")
        leash.start()
        port = free_port()
        tunnel = Program(["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr",
                          f"PROXY:127.0.0.1:h0.{DOMAIN}:{origin.h2},proxyport={leash.port}"], directory / "socat.out")
        wait_for_port(port, tunnel)
        soak = Soak(leash, minutes)
        samples = soak.run(port)
        is_up = leash.running.process.poll() is None
        tunnel.stop()
        leash.stop()
        origin.stop()
        soak.verify([*soak.parts, directory / "leash" / "log" / "egress.jsonl"])
    finally:
        shutil.rmtree(directory, ignore_errors=True)

    begin = samples[0][0]
    warm = [kib for at, kib in samples if minutes * 60 / 6 <= at - begin <= minutes * 60 / 3]
    late = [kib for at, kib in samples if at - begin >= minutes * 60 * 5 / 6]
    growth = sum(late) / len(late) / (sum(warm) / len(warm)) - 1
    print(f"{minutes:g} minutes: {sum(soak.answers.values()):,} answers {soak.answers}, {soak.flips} changes of the policy")
    print(f"memory: {sum(warm) / len(warm) / 1024:.1f} MiB after the warm-up, {sum(late) / len(late) / 1024:.1f} at the end "
          f"({growth * 100:+.1f} %), most {max(kib for _, kib in samples) / 1024:.1f}")
    for begins in range(0, int(minutes * 60), 60):
        part = [kib / 1024 for at, kib in samples if begins <= at - begin < begins + 60]
        print(f"  minute {begins // 60 + 1}: {min(part):.1f} to {max(part):.1f}, mean {sum(part) / len(part):.1f} MiB")
    print(f"the log's {soak.verified:,} lines: {'NOT ' if any(p.startswith('log:') for p in soak.problems) else ''}whole")
    for problem in soak.problems[:20]:
        print(f"problem: {problem}")
    good = is_up and not soak.problems and growth <= 0.05
    print("good" if good else "NOT GOOD")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
