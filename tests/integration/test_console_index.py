"""The index follows the log: growth, rotation, packing, truncation, damage, kill -9, a rebuild."""

import gzip
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from support.console import Stream, line, write_log
from support.wait import IS_SANITIZED, wait_until

BENCH = Path(__file__).resolve().parents[2] / "bench" / "console_log.py"


def seqs(console, query=""):
    """All rows that pass, over all pages."""
    found, cursor = [], ""
    while cursor is not None:
        page = console.ask(f"/api/events?limit=100&cursor={cursor}{query}")
        found += [row["seq"] for row in page["events"]]
        cursor = page["next"]
    return found


def test_what_is_there_and_what_comes(make_console):
    console = make_console(starts=False)
    write_log(console.log, [line(seq) for seq in range(1, 251)])
    console.start()
    console.wait_ready(250)
    assert seqs(console) == list(range(250, 0, -1))
    write_log(console.log, [line(251)])
    console.wait_ready(251)
    # A line counts when its end is there.
    with open(console.log, "a", encoding="ascii") as log:
        log.write(line(252)[:40])
        log.flush()
        write_log(console.log.with_name("other"), ["x"])
        log.write(line(252)[40:] + "\n")
    console.wait_ready(252)
    assert seqs(console)[:2] == [252, 251]


def test_a_log_that_comes_later_and_lines_that_are_none(make_console):
    console = make_console()
    console.wait_ready(0)  # it listens before it has looked for the log
    assert console.ask("/api/events") == {
        "events": [], "next": None, "newest": 0,
        "index": {"lines": 0, "bytes_done": 0, "bytes_total": 0, "state": "ready", "skipped": 0}}
    bad = ["", "{", "null", "[1]", '"x"', '{"ts": 1}', '{"event": 7}', "\x01\x02", "{" * 1000, '{"event": "x"} x',
           '{"ts": NaN, "event": "allowed"}', "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")]
    with open(console.log, "w", encoding="latin-1") as log:
        for number, each in enumerate(bad, 1):
            log.write(each + "\n" + line(number) + "\n")
    index = console.wait_ready(len(bad))
    assert index["lines"] == len(bad) and index["skipped"] == len(bad)
    assert seqs(console) == list(range(len(bad), 0, -1))


def test_a_log_of_the_original_has_no_seq(make_console):
    console = make_console(starts=False)
    write_log(console.log, [line(None, host=f"h{i}.example") for i in range(5)])
    console.start()
    console.wait_ready(5)
    assert seqs(console) == [5, 4, 3, 2, 1]
    # A seq that starts anew, or is none, does not turn the order.
    write_log(console.log, [line(2), line(2**63), line(-4), line(100), line(50)])
    console.wait_ready(10)
    assert seqs(console) == [101, 100, 8, 7, 6, 5, 4, 3, 2, 1]


def rotate(console, kind):
    """As somebody else would; the log then begins anew."""
    log = console.log
    if kind == "move":
        os.rename(log, f"{log}.1")
    elif kind == "copytruncate":
        shutil.copyfile(log, f"{log}.1")
        os.truncate(log, 0)
    elif kind == "gzip":
        with open(log, "rb") as plain, gzip.open(f"{log}.1.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)
        log.unlink()
    elif kind == "zstd":
        subprocess.run(["zstd", "-q", str(log), "-o", f"{log}.seq000000000200.zst"], check=True)
        log.unlink()


@pytest.mark.parametrize("kind", ["move", "copytruncate", "gzip", "zstd"])
def test_rotation_loses_and_doubles_nothing(make_console, kind):
    console = make_console(starts=False)
    write_log(console.log, [line(seq, id=f"r-{seq}") for seq in range(1, 101)])
    console.start()
    console.wait_ready(100)
    # What the index has not seen yet when the log goes away is found under the other name.
    write_log(console.log, [line(seq, id=f"r-{seq}") for seq in range(101, 201)])
    rotate(console, kind)
    write_log(console.log, [line(seq, id=f"r-{seq}") for seq in range(201, 301)])
    console.wait_ready(300)
    assert seqs(console) == list(range(300, 0, -1))
    for number in (7, 150, 299):
        detail = console.ask(f"/api/event/r-{number}")
        assert [each["seq"] for each in detail["lines"]] == [number]
    # The same after a start, and after a rebuild from files alone.
    console.stop()
    console.start()
    console.wait_ready(300)
    assert seqs(console) == list(range(300, 0, -1))
    assert console.post("/api/index/rebuild").status == 200
    wait_until(lambda: "making the index anew" in console.stderr(), "the rebuild")
    wait_until(lambda: len(seqs(console)) == 300, "the index made anew")


def test_a_file_that_is_gone_takes_its_rows_along(make_console):
    console = make_console(starts=False)
    write_log(console.log, [line(seq) for seq in range(1, 101)])
    console.start()
    console.wait_ready(100)
    os.rename(console.log, f"{console.log}.1")
    write_log(console.log, [line(seq) for seq in range(101, 111)])
    console.wait_ready(110)
    os.unlink(f"{console.log}.1")
    wait_until(lambda: seqs(console) == list(range(110, 100, -1)), "the rows of the log alone")


def test_a_log_cut_and_grown_again_is_another(make_console):
    console = make_console(starts=False)
    write_log(console.log, [line(seq, host="old.example") for seq in range(1, 21)])
    console.start()
    console.wait_ready(20)
    os.truncate(console.log, 0)
    write_log(console.log, [line(seq, host="new.example") for seq in range(21, 121)])
    wait_until(lambda: seqs(console) == list(range(120, 20, -1)), "the new log alone")


def test_kill_9_while_indexing_loses_and_doubles_nothing(make_console):
    console = make_console(starts=False)
    total = 60_000
    write_log(console.log, [line(seq, url=f"https://api.example.com/item/{seq}") for seq in range(1, total + 1)])
    chance = random.Random(7)
    for _ in range(4):
        console.start()
        goal = chance.randrange(total)
        wait_until(lambda: console.ask("/api/events?limit=1")["index"]["lines"] >= min(goal, 40_000), "some lines")
        console.kill()
    console.start()
    console.wait_ready(total)
    assert console.ask("/api/events?limit=1")["index"]["lines"] == total
    assert console.ask("/api/stats")["totals"]["allowed"] == total
    first = console.ask("/api/events?limit=1000")["events"]
    assert [row["seq"] for row in first] == list(range(total, total - 1000, -1))
    assert [row["seq"] for row in console.ask("/api/events?q=item/31415")["events"]] == [31415]


def damage(path, kind):
    """What happens to files: each leaves something else of it."""
    size = path.stat().st_size
    if kind == "emptied":
        os.truncate(path, 0)
    elif kind == "garbage":
        path.write_bytes(b"not a database at all, for sure" * 1000)
    elif kind == "cut":
        os.truncate(path, size // 2)
    elif kind == "no pages":
        os.truncate(path, 16384)
    elif kind == "head overwritten":
        with open(path, "r+b") as file:
            file.write(b"\0" * 100)
    elif kind == "bytes overwritten":
        # One in each page but the first, where page and tables are described.
        with open(path, "r+b") as file:
            for page in range(16384, size, 16384):
                file.seek(page + 9000)
                file.write(b"\xa5")
    elif kind == "pages overwritten":
        with open(path, "r+b") as file:
            file.seek(16384)
            file.write(random.Random(5).randbytes(size - 16384))
    elif kind == "another version":
        with sqlite3.connect(path) as database:
            database.execute("UPDATE meta SET value = 1 WHERE key = 'version'")
        database.close()
    elif kind == "other tables":
        path.unlink()
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE meta (key, value)")
            database.execute("CREATE TABLE block (id, colour)")
        database.close()
    elif kind == "deleted":
        path.unlink()


KINDS = ["emptied", "garbage", "cut", "no pages", "head overwritten", "bytes overwritten", "pages overwritten"]
MADE_ANEW = re.compile(r"the index is (damaged|of another version).*; it is made anew from the log")
DAMAGED_LINES = 8_000 if IS_SANITIZED else 20_000


@pytest.fixture
def indexed(make_console):
    """A console with an index in one file, and so large that none of its parts remembers all of it."""
    console = make_console(starts=False)
    write_log(console.log, [line(seq, url=f"https://api.example.com/{seq:08x}", id=f"r-{seq}")
                            for seq in range(1, DAMAGED_LINES + 1)])
    console.start()
    console.wait_ready(DAMAGED_LINES)
    console.stop()
    return console


def ask_without_fault(console, path):
    """The answer while an index is made is one of these, never that something is wrong."""
    answer = console.request("GET", path)
    assert answer.status in (200, 503), (path, answer)
    if answer.status == 503:
        assert answer.json() == {"error": "the index is being made"}, path
        return None
    return answer.json()


def wait_for_all(console, count):
    def has_all():
        sums = ask_without_fault(console, "/api/stats")
        found = ask_without_fault(console, "/api/events?q=/0000000")
        one = console.request("GET", "/api/event/r-7")
        assert one.status in (200, 404, 503), one
        return (sums and sums["totals"]["allowed"] == count and found and found["index"]["state"] == "ready" and
                [row["seq"] for row in found["events"]] == list(range(15, 0, -1)) and one.status == 200)

    wait_until(has_all, lambda: f"an index with all rows; it said {console.stderr()[-1500:]}")
    assert len(seqs(console, "&q=/0000")) == DAMAGED_LINES


def assert_made_once(console):
    """However many meet the old file while it goes."""
    assert len(MADE_ANEW.findall(console.stderr())) <= 1, console.stderr()


@pytest.mark.parametrize("kind", KINDS + ["another version", "other tables"])
def test_an_index_that_was_damaged_meanwhile_is_made_anew(indexed, kind):
    damage(indexed.state / "index.db", kind)
    indexed.start()
    wait_for_all(indexed, DAMAGED_LINES)
    if kind != "emptied":  # as good as none
        wait_until(lambda: MADE_ANEW.search(indexed.stderr()), indexed.stderr)
    assert_made_once(indexed)


@pytest.mark.parametrize("kind", KINDS + ["deleted"])
def test_an_index_that_is_damaged_while_it_is_in_use_is_made_anew(indexed, kind):
    indexed.start()
    indexed.wait_ready(DAMAGED_LINES)
    damage(indexed.state / "index.db", kind)
    # A commit, behind which nobody trusts the pages he remembers.
    write_log(indexed.log, [line(DAMAGED_LINES + 1, url="https://api.example.com/last")])
    wait_for_all(indexed, DAMAGED_LINES + 1)
    wait_until(lambda: MADE_ANEW.search(indexed.stderr()), indexed.stderr)
    assert_made_once(indexed)


def test_the_progress_of_an_index_that_is_made_anew(make_console):
    """It is told from the beginning, and what is there already is shown."""
    console = make_console(starts=False)
    total = 50_000 if IS_SANITIZED else 150_000
    write_log(console.log, [line(seq) for seq in range(1, total + 1)])
    console.start()
    console.wait_ready(total)
    console.stop()
    damage(console.state / "index.db", "pages overwritten")
    console.start()
    states = []

    def is_ready():
        page = ask_without_fault(console, "/api/events?limit=1")
        if page is None:
            return False
        states.append(page["index"])
        return page["index"]["state"] == "ready" and page["newest"] == total

    wait_until(is_ready, "the index made anew")
    building = [state for state in states if state["state"] == "building"]
    assert building or len(states) == 1  # on a loaded machine the first look may come when all is done
    assert all(state["bytes_done"] <= state["bytes_total"] for state in building)
    assert states[-1]["lines"] == total
    wait_until(lambda: MADE_ANEW.search(console.stderr()), console.stderr)


def test_rows_of_a_real_leash_come_while_it_runs(make_leash, make_console, origin=None):
    leash = make_leash(mode="enforce", allow=[])
    console = make_console(leash)
    stream = Stream(console)
    conn = leash.connect()
    assert conn.connect("blocked.example:443").status == 403
    conn.close()
    stream.wait_for(lambda s: [row for row in s.of("row") if row["event"] == "blocked"], "the blocked row")
    row = [row for row in stream.of("row") if row["event"] == "blocked"][0]
    assert row["host"] == "blocked.example" and row["reason"] == "not_in_allowlist" and row["port"] == 443
    listed = console.wait_for_rows("/api/events?event=blocked")
    assert listed[0] == row
    detail = console.ask(f"/api/event/{row['id']}")
    assert detail["summary"] == row and detail["lines"][0]["host"] == "blocked.example"
    stream.close()


def test_a_generated_log_is_searched_quickly_enough(make_console):
    """The load of docs/CONSOLE.md, small: what is measured there is proven here."""
    console = make_console(starts=False)
    lines = 40_000
    subprocess.run([sys.executable, str(BENCH), "--lines", str(lines), "--output", str(console.log)], check=True,
                   stdout=subprocess.DEVNULL)
    with open(console.log, encoding="ascii") as log:
        records = [json.loads(each) for each in log]
    console.start()
    console.wait_ready(lines)
    shown = [r for r in records if r["event"] not in ("request", "connect_allowed", "checkpoint")]
    checks = {
        "": shown,
        "&event=blocked": [r for r in shown if r["event"] == "blocked"],
        "&status=5xx": [r for r in shown if 500 <= r.get("status", 0) <= 599],
        "&would_block=1": [r for r in shown if "audit" in r],
        "&host=example.com": [r for r in shown if f".{r.get('host', '')}".endswith(".example.com")],
        "&q=models": [r for r in shown if "models" in r.get("url", "") or "models" in r.get("host", "")],
        "&q=ob": [r for r in shown if any("ob" in r.get(k, "").lower()
                                          for k in ("url", "host", "reason", "agent", "client"))],
        "&agent=agent-3&event=allowed,error": [r for r in shown if r.get("agent") == "agent-3"
                                               and r["event"] in ("allowed", "error")],
    }
    for query, expected in checks.items():
        page = console.ask(f"/api/events?limit=50{query}")
        assert [row["seq"] for row in page["events"]] == [r["seq"] for r in expected[-50:]][::-1], query
        sums = console.ask(f"/api/stats?{query[1:]}")["totals"]
        for verdict in ("blocked", "error"):
            assert sums[verdict] == sum(r["event"] == verdict for r in expected), (query, verdict)
        allowed = [r for r in expected if r["event"] == "allowed"]
        assert sums["would_block"] == sum("audit" in r for r in allowed), query
        assert sums["allowed"] == sum("audit" not in r for r in allowed), query
