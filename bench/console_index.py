#!/usr/bin/python3
"""What the console's index takes on a log: feeding it, memory, and each kind of question. Figures: docs/CONSOLE.md.

    make build && bench/console_log.py --lines 10000000 --output LOG && bench/console_index.py LOG --state-dir DIR

The index is made in DIR, and left there; a second run asks the one that is there. Each question is asked once
after another one has gone before (`first`), then REPEATS times (`again`, the median): the console keeps what was searched
for last, a person's next word is new. Questions with a word choose it from the log: one that is in many lines, one that is
in one line of its middle, one that is in none.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from support.console import Console  # noqa: E402

REPEATS = 3
GOAL_FIRST_SCREEN, GOAL_QUESTION = 0.3, 0.5


def rss_mib(process):
    for row in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if row.startswith("VmRSS:"):
            return int(row.split()[1]) / 1024
    raise KeyError("VmRSS")


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def from_the_middle(log):
    """Two lines with a part of the URL that is in no other, as records."""
    found = []
    with open(log, "rb") as file:
        file.seek(log.stat().st_size // 2)
        file.readline()
        for raw in file:
            record = json.loads(raw)
            if record["event"] == "allowed" and "?page=" in record["url"]:
                found.append(record)
                if len(found) == 2:
                    return found
    raise SystemExit("the log holds no such line: make it with bench/console_log.py")


def questions(log):
    one, other = from_the_middle(log)
    rare, rare2 = (record["url"].rsplit("/", 1)[1].split("?")[0] for record in (one, other))
    filters = {
        "nothing": "",
        "every line": "&event=all",
        "event, frequent": "&event=blocked",
        "event, none": "&event=mode_change",
        "status": "&status=5xx",
        "would block": "&would_block=1",
        "internet only": "&internet_only=1",
        "host, frequent": "&host=api.anthropic.com",
        "host, rare": "&host=host-1234.example.net",
        "hosts below": "&host=example.net",
        "host left out": "&exclude_hosts=api.anthropic.com",
        "client": "&client=10.0.0.5",
        "network": "&client=10.0.0.32/27",
        "agent": "&agent=agent-39",
        "an hour": f"&after={one['ts'] - 1800:.0f}&before={one['ts'] + 1800:.0f}",
        "five filters, none pass": "&agent=agent-39&status=429&host=host-7.example.net&client=10.0.0.41&event=allowed",
    }
    # For list and for sums, so that none has been searched for when it is asked first.
    words = {
        "word, frequent": ("messages", "completions"),
        "word, rare": (rare, rare2),
        "word, rare, short": (rare[3:9], rare2[3:9]),
        "word, none": ("zzqqxxyy", "qqzzyyxx"),
        "word, none, of frequent parts": ("example.net/v1/models/v1/objects", "example.net/v1/objects/v1/models"),
        "word that ends a frequent URL": ("v1/models", "org/v1/models"),
        "two words, some": ("has%20expired", "certificate%20has"),
        "two words, none": ("not%20in", "not%20in%20allowlist"),
        "two letters, frequent": ("ob", "bj"),
        "two letters, none": ("qz", "zq"),
        "one letter": ("7", "6"),
        "word and filters": (rare[2:7] + "&event=blocked&status=4xx", rare2[2:7] + "&event=blocked&status=4xx"),
    }
    asked = {}
    for name, query in filters.items():
        asked[f"list: {name}"] = (f"/api/events?limit=200{query}",)
        asked[f"sums: {name}"] = (f"/api/stats?{query[1:]}",)
    for name, (listed, summed) in words.items():
        asked[f"list: {name}"] = (f"/api/events?limit=200&q={listed}",)
        asked[f"sums: {name}"] = (f"/api/stats?q={summed}",)
    first = ("/api/events?limit=200", "/api/stats?buckets=120", "/api/health")
    asked["one request"] = (f"/api/event/{one['id']}",)
    return first, asked


class Bench:
    def __init__(self, log, state):
        self.console = Console(state.parent, state.parent / "policy", log)
        self.console.state = state

    def take(self, paths):
        """Seconds until all of these questions, asked at once, are answered; and the last answer."""
        answers = {}

        def ask(path):
            answers[path] = self.console.request("GET", path)

        begin = time.perf_counter()
        threads = [threading.Thread(target=ask, args=(path,)) for path in paths[1:]]
        for each in threads:
            each.start()
        ask(paths[0])
        for each in threads:
            each.join()
        took = time.perf_counter() - begin
        bad = [f"{path}: {answer}" for path, answer in answers.items() if answer.status != 200]
        if bad:
            print("FAILED", *bad, sep="\n  ")
        return took

    def forget(self):
        for path in self.console.state.glob("index.db*"):
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)

    def feed(self):
        begin = time.perf_counter()
        self.console.start()
        peak, worst = 0.0, 0.0
        while True:
            worst = max(worst, self.take(("/api/events?limit=200",)))
            peak = max(peak, rss_mib(self.console.process))
            index = self.console.ask("/api/events?limit=1")["index"]
            if index["state"] == "ready":
                break
            time.sleep(0.1)
        took = time.perf_counter() - begin
        if took < 1:
            print(f"the index was there: {index['lines']} lines")
            return
        size = sum(file.stat().st_size for file in self.console.state.glob("index.db*"))
        print(f"feeding: {index['lines']} lines in {took:.1f} s, {index['lines'] / took:.0f} lines/s, "
              f"{cpu_seconds(self.console.process):.1f} s of CPU, resident {peak:.0f} MiB at most, index "
              f"{size / 2**20:.0f} MiB")
        print(f"a page while it feeds: {worst * 1000:.0f} ms at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--state-dir", type=Path, default=None)
    parser.add_argument("--cold", action="store_true",
                        help="the index is not in memory when a question is asked first, as after a boot")
    parser.add_argument("--only", default="", help="questions whose name holds this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leash-bench-") as place:
        state = options.state_dir or Path(place) / "state"
        bench = Bench(options.log, state)
        bench.console.policy = Path(place)
        (bench.console.policy / "mode").write_text("audit\n")
        try:
            bench.feed()
            first, asked = questions(options.log)
            for name, paths, goal in [("first screen", first, GOAL_FIRST_SCREEN)] + [
                    (name, paths, GOAL_QUESTION) for name, paths in asked.items()]:
                if options.only not in name:
                    continue
                if options.cold:
                    bench.forget()
                took = bench.take(paths)
                again = statistics.median(bench.take(paths) for _ in range(REPEATS))
                missed = "  missed" if max(took, again) > goal else ""
                print(f"{name:40} {took * 1000:7.0f} ms first {again * 1000:7.0f} ms again{missed}", flush=True)
            print(f"resident {rss_mib(bench.console.process):.0f} MiB now, {bench.console.rss_mib():.0f} MiB at most")
        finally:
            bench.console.stop()


if __name__ == "__main__":
    main()
