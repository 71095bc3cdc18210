"""The API: the original's endpoints with their shapes, lists, sums, streams, policy edits, exports."""

import csv
import io
import json
import os
import stat
import threading
import time
import urllib.parse

import pytest

from support.console import Stream, line, write_log
from support.leash import write_atomically
from support.wait import wait_until

# What an agent can put into a request, in the fields where it can.
HOSTILE = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "\n\nevent: row\ndata: {}\n\n", "\r\n\r\nHTTP/1.1 200 OK",
           "\x1b[2J\x1b]0;x\x07", "\u2028\u2029", "\u202egnp.exe", "\x00", "\udcff\udcfe", "=HYPERLINK(\"http://evil\")", "$(id)", "`id`",
           "';DROP TABLE block;--", "%00%0d%0a", "\\", "\"", "a" * 5000, "\U0001f600", "{}", "-1+1", "@SUM(A1)", "\t=1"]


def log_of(console, *lines):
    write_log(console.log, lines)
    console.wait_ready(len(lines))


@pytest.fixture
def console(make_console):
    return make_console()


# --- the original's ----------------------------------------------------------------------------


def test_logs_as_the_original_gives_them(console):
    log_of(console,
           line(1, event="connect_allowed", method=..., url=..., status=...),
           line(2, host="lan.fritz.box", url="http://lan.fritz.box/x", client="10.0.0.8"),
           line(3, host="b.example", url="https://b.example/", req_body="needle in a body"),
           line(4, event="mode_change", previous="audit", mode="enforce", client=..., host=..., port=..., method=..., url=...,
                status=...),
           line(5, host="192.168.1.5", url="http://192.168.1.5/"),
           line(6, host="c.example", url="https://c.example/", req_headers=[["X-Thing", "Pin in a header"]]))
    with open(console.log, "a", encoding="ascii") as log:
        log.write("broken\n[1, 2]\n")

    def found(query):
        answer = console.get(f"/api/logs{query}")
        assert answer.status == 200 and answer.headers["Content-Type"] == "application/json", answer
        return [record["seq"] for record in answer.json()]
    assert found("") == [6, 5, 4, 3, 2]
    assert found("?limit=2") == [6, 5]
    assert found("?limit=0") == [] == found("?limit=-5")
    assert found("?q=NEEDLE") == [3] and found("?q=pin%20in") == [6]
    assert found("?client=0.0.8") == [2]
    assert found("?internet_only=1") == [6, 4, 3]
    assert found("?exclude_hosts=B.example,%20c.example") == [5, 4, 2]
    assert console.ask("/api/logs?limit=1")[0] == json.loads(line(6, host="c.example", url="https://c.example/",
                                                                  req_headers=[["X-Thing", "Pin in a header"]]))
    assert console.get("/api/logs?limit=x").status == 400
    meta = console.ask("/api/meta")
    assert set(meta) == {"size_mb", "total_lines", "body_limit_kb"} and meta["body_limit_kb"] == 1024
    wait_until(lambda: console.ask("/api/meta")["total_lines"] == 7, "all lines but the connect")
    assert meta["size_mb"] == round(os.path.getsize(console.log) / 2**20, 3)


def test_meta_and_logs_without_a_log(console):
    assert console.ask("/api/logs") == []
    assert console.ask("/api/meta") == {"size_mb": 0.0, "total_lines": 0, "body_limit_kb": 1024}


def test_mode(console):
    assert console.ask("/api/mode") == {"mode": "enforce"}
    for method, mode in (("PUT", "audit"), ("POST", "blocklist")):
        answer = console.request(method, "/api/mode", {"mode": mode})
        assert answer.status == 200 and answer.json() == {"ok": True, "mode": mode}
        assert (console.policy / "mode").read_text() == mode + "\n"
    for body in ({"mode": "Audit"}, {"mode": ""}, {}, {"mode": None}, {"mode": ["audit"]}):
        answer = console.post("/api/mode", body)
        assert answer.status == 400 and answer.json()["error"].startswith("mode must be one of")
    for body in (b"", b"[", b"null", b"[]"):
        answer = console.request("POST", "/api/mode", body, headers={"Content-Type": "application/json"})
        assert answer.status == 400 and answer.json()["error"]
    assert console.ask("/api/mode") == {"mode": "blocklist"}


def test_policy_and_its_four_changes(make_console):
    console = make_console(policy_files={
        "mode": "enforce\n", "blocklist.yaml": "block: []\n",
        "enforce.yaml": "# ours\nallow:\n  - host: a.example  # keep me\n    ports: [443, 8443]\n"
                        "  - host: '*.b.example'\n    reason: because\n    expires: 2099-01-01T00:00:00Z\n"})
    policy = console.ask("/api/policy")
    assert policy["mode"] == "enforce" and policy["blocklist"] == []
    assert policy["enforce"][0] == {"host": "a.example", "ports": [443, 8443], "line": 3}
    assert policy["enforce"][1]["host"] == "b.example" and policy["enforce"][1]["reason"] == "because"
    assert policy["enforce"][1]["expires"] == "2099-01-01T00:00:00Z"

    def change(path, **body):
        answer = console.post(f"/api/policy/{path}", body)
        assert answer.status == 200 and answer.json()["ok"] is True, answer
        return answer.json()["policy"]

    def hosts(policy):
        return {entry["host"]: entry for entry in policy["enforce"]}
    added = hosts(change("enforce/add", host=" C.Example ", port=443))["c.example"]
    assert added["ports"] == [443] and "paths" not in added
    added = hosts(change("enforce/add", host="d.example", scope="path", method="get", prefix="/v1/"))["d.example"]
    assert added["ports"] == [443] and added["paths"] == [{"method": "GET", "prefix": "/v1/"}]
    added = hosts(change("enforce/add", host="e.example", reason="for a day", expires="2099-05-01T00:00:00Z"))
    assert added["e.example"]["reason"] == "for a day"
    # The last rule of a path takes its entry along: nothing gets wider.
    assert "d.example" not in hosts(change("enforce/remove", host="d.example", scope="path", method="GET", prefix="/v1/"))
    assert "a.example" not in hosts(change("enforce/remove", host="a.example"))
    assert [e["host"] for e in change("blocklist/add", host="evil.example")["blocklist"]] == ["evil.example"]
    assert change("blocklist/remove", host="evil.example")["blocklist"] == []
    text = (console.policy / "enforce.yaml").read_text()
    assert text.startswith("# ours\n") and "reason: because" in text
    assert not list(console.policy.glob(".*")) and stat.S_IMODE((console.policy / "enforce.yaml").stat().st_mode) == 0o644


@pytest.mark.parametrize("body, error", [
    ({}, "host required"), ({"host": "  "}, "host required"), ({"host": "a\nb"}, "host contains invalid characters"),
    ({"host": "a.example", "scope": "path", "prefix": "/\r"}, "prefix contains invalid characters"),
    ({"host": "a.example", "scope": "path", "method": "G\x00T"}, "method contains invalid characters"),
    ({"host": "a b"}, "bad host"), ({"host": "a.example", "port": 0}, "port must be"),
    ({"host": "a.example", "port": "x"}, "port must be"), ({"host": "a.example", "port": 70000}, "port must be"),
    ({"host": "a.example", "expires": "soon"}, "bad date"), ({"host": 7}, "host must be a text"),
    ({"host": "a.example", "expires": "2001-01-01"}, "in the past")])
def test_changes_that_cannot_be_made(make_console, body, error):
    console = make_console(policy_files={"enforce.yaml": "allow: []\n"})
    answer = console.post("/api/policy/enforce/add", body)
    assert answer.status == 200 and answer.json()["ok"] is False and error in answer.json()["error"]
    assert (console.policy / "enforce.yaml").read_text() == "allow: []\n"


def test_a_broken_file_is_not_overwritten(make_console):
    console = make_console(policy_files={"enforce.yaml": "allow: [\n"})
    answer = console.post("/api/policy/enforce/add", {"host": "a.example"})
    assert answer.status == 500 and "enforce.yaml" in answer.json()["error"]
    assert (console.policy / "enforce.yaml").read_text() == "allow: [\n"
    assert any(f["severity"] == "error" for f in console.ask("/api/health")["findings"])


def test_clear_puts_the_log_aside(console):
    log_of(console, *[line(seq, id=f"r-{seq}") for seq in range(1, 6)])
    assert console.post("/api/logs/clear").json() == {"ok": True}
    assert console.ask("/api/logs") == []
    aside = [path for path in console.log.parent.iterdir() if path.name.startswith(console.log.name + "-")]
    assert len(aside) == 1 and len(aside[0].read_text().splitlines()) == 5
    assert console.ask("/api/events")["events"] == []
    assert console.ask("/api/meta")["total_lines"] == 0
    write_log(console.log, [line(6)])
    console.wait_ready(6)
    assert [row["seq"] for row in console.ask("/api/events")["events"]] == [6]
    assert console.ask("/api/stats")["totals"]["allowed"] == 1
    # Nothing is lost.
    assert console.ask("/api/event/r-3")["lines"][0]["seq"] == 3


def test_clears_in_one_second_put_each_log_aside(console):
    def every_line():
        paths = [path for path in console.log.parent.iterdir() if path.name.startswith(console.log.name)]
        return sorted(json.loads(text)["seq"] for path in paths for text in path.read_text().splitlines())
    for seq in range(1, 9):
        write_log(console.log, [line(seq)])
        assert console.post("/api/logs/clear").json() == {"ok": True}
        assert not console.log.exists()
    assert every_line() == list(range(1, 9))
    # And with two at a time, while the log goes on.
    answers = []
    is_over = threading.Event()

    def clear():
        while not is_over.is_set():
            answers.append(console.post("/api/logs/clear"))
    clearers = [threading.Thread(target=clear) for _ in range(2)]
    for each in clearers:
        each.start()
    try:
        for seq in range(9, 60):
            write_log(console.log, [line(seq)])
    finally:
        is_over.set()
        for each in clearers:
            each.join()
    assert {answer.status for answer in answers} == {200}
    assert every_line() == list(range(1, 60))


# --- lists, sums, details ----------------------------------------------------------------------


def test_filters(console):
    log_of(console,
           line(1, event="request", status=...), line(2, status=201, agent="build", host="x.api.example.com"),
           line(3, event="blocked", reason="not_in_allowlist", status=..., client="10.1.0.9", host="evil.example"),
           line(4, event="error", reason="connect_timeout", status=..., host="Down.example"),
           line(5, status=404, audit="would_block_in_enforce"), line(6, host="127.0.0.1", url="http://127.0.0.1/"),
           line(7, event="tunnel_closed", tls="splice", bytes_up=5, bytes_down=7, url=..., method=..., status=...),
           line(8, names="mismatch: sni x"), line(9, event="brand_new"))
    expected = {
        "": [9, 8, 7, 6, 5, 4, 3, 2], "event=all": list(range(9, 0, -1)), "event=request": [1], "event=blocked,error": [4, 3],
        "status=404": [5], "status=2xx": [9, 8, 6, 2], "status=400-499": [5], "status=201,404": [5, 2],
        "host=api.example.com": [9, 8, 7, 5, 2], "host=evil.example,down.example": [4, 3], "host=ple.com": [],
        "exclude_hosts=api.example.com": [6, 4, 3, 2], "client=10.1.0.0/16": [3], "client=10.1": [3], "agent=build": [2],
        "would_block=1": [5], "internet_only=1": [9, 8, 7, 5, 4, 3, 2], "q=EVIL": [3], "q=timeout": [4], "q=uil": [2], "q=v1": [9, 8, 5, 4, 3, 2],
        "q=zzz": [], "after=1700000008&before=1700000009": [8], "after=2023-11-14T22:13:29Z": [9],
        "q=%22%25_'": [], "host=example.com&status=404": [5]}
    for query, wanted in expected.items():
        assert [row["seq"] for row in console.ask(f"/api/events?{query}")["events"]] == wanted, query
    for query in ("after=yesterday", "status=abc", "status=4x", "event=nothing", "limit=x", "cursor=x", "q=" + "a" * 600):
        answer = console.get(f"/api/events?{query}")
        assert answer.status == 400 and query.split("=")[0] in answer.json()["error"], answer
    rows = {row["seq"]: row for row in console.ask("/api/events")["events"]}
    assert rows[5]["would_block"] is True and rows[7]["tags"] == ["spliced"] and rows[8]["tags"] == ["name_mismatch"]
    assert rows[4]["error"] == "connect_timeout" and rows[9]["event"] == "brand_new"
    assert rows[2]["ts"] == "2023-11-14T22:13:22.000Z" and rows[2]["agent"] == "build"


def test_pages(console):
    log_of(console, *[line(seq, status=200 + seq % 2) for seq in range(1, 501)])
    found, cursor = [], ""
    while cursor is not None:
        page = console.ask(f"/api/events?status=200&limit=60&cursor={cursor}")
        # What is written below may be in the index by the next page.
        assert page["newest"] == 500 if not found else page["newest"] >= 500
        found += [row["seq"] for row in page["events"]]
        cursor = page["next"]
        write_log(console.log, [line(1000 + len(found), status=200)])  # what comes meanwhile moves nothing
    assert found == list(range(500, 0, -2))


def test_stats(console):
    day = 86_400
    log_of(console,
           line(1, ts=1_700_000_000, bytes_up=1, bytes_down=10, agent="a"), line(2, ts=1_700_000_000 + day, bytes=100),
           line(3, ts=1_700_000_000 + day, event="blocked", reason="in_blocklist", status=..., host="evil.example"),
           line(4, ts=1_700_000_000 + 2 * day, audit="would_block_in_enforce"),
           line(5, ts=1_700_000_000 + 2 * day, event="error", reason="x", status=...))
    stats = console.ask("/api/stats?buckets=3")
    assert stats["totals"] == {"allowed": 2, "would_block": 1, "blocked": 1, "error": 1, "bytes_up": 1, "bytes_down": 110}
    series = stats["series"]
    assert len(series["t"]) == 3 and series["t"][0] == 1_700_000_000
    assert series["t"][1] - series["t"][0] == stats["bucket_seconds"]
    assert (series["allowed"], series["would_block"], series["blocked"], series["error"]) == ([1, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1])
    assert stats["hosts"][0] == {"host": "api.example.com", "count": 4, "blocked": 0, "bytes": 111}
    assert stats["hosts"][1] == {"host": "evil.example", "count": 1, "blocked": 1, "bytes": 0}
    assert {"agent": "a", "client": "10.0.0.7", "count": 1, "blocked": 0, "bytes": 11} in stats["agents"]
    assert stats["from"] == "2023-11-14T22:13:20.000Z"
    narrow = console.ask("/api/stats?after=1700086400&before=1700086401&host=evil.example")
    assert narrow["totals"]["blocked"] == 1 and narrow["totals"]["allowed"] == 0 and narrow["bucket_seconds"] == 1
    assert console.ask("/api/stats?q=evil")["totals"]["blocked"] == 1


def test_event_shows_all_lines_of_a_request(console):
    body = "x" * 1_048_576
    log_of(console, line(1, event="request", id="ab-1", status=...), line(2, id="ab-2"),
           line(3, id="ab-1", res_body=body, req_headers=[["Accept", "*/*"]]))
    detail = console.ask("/api/event/ab-1")
    assert [each["seq"] for each in detail["lines"]] == [1, 3]
    assert detail["lines"][1]["res_body"] == body and detail["summary"]["seq"] == 3
    for wrong in ("ab-3", "..%2f..%2fetc", "%00", "a" * 500, urllib.parse.quote("' OR 1=1 --")):
        assert console.get(f"/api/event/{wrong}").status == 404, wrong


@pytest.mark.parametrize("field", ["host", "method", "url", "client", "agent", "reason", "rule", "sni", "id", "addr", "event"])
def test_hostile_strings_stay_strings(console, field):
    log_of(console, *[line(seq, **{"event": "blocked", field: text}) for seq, text in enumerate(HOSTILE, 1)])
    rows = console.ask("/api/events?event=all&limit=1000")["events"]
    assert [row["seq"] for row in rows] == list(range(len(HOSTILE), 0, -1))
    if field in ("host", "method", "url", "client", "agent", "rule"):
        for row, text in zip(reversed(rows), HOSTILE):
            assert row[field] == text[:1024] or field == "url" and row[field] == text
    for path in ("/api/stats", "/api/logs", "/api/export?format=har&event=all", "/api/suggest?hours=744"):
        answer = console.get(path)
        assert answer.status == 200 and json.loads(answer.body) is not None and b"<html" not in answer.body
        assert answer.headers["Content-Type"] == "application/json" and all(byte < 0x80 for byte in answer.body)
    for text in HOSTILE:
        query = urllib.parse.quote(text.encode("utf-8", "surrogateescape")[:400])
        for name in ("q", "host", "client", "agent", "exclude_hosts"):
            assert console.get(f"/api/events?{name}={query}").status == 200, (name, text)


# --- the stream --------------------------------------------------------------------------------


def test_stream(console):
    log_of(console, *[line(seq) for seq in range(1, 11)])

    def news(stream):
        # Rows are in the index a moment before they are told, so the first ten may come as well.
        return [event for event in list(stream.events) if event.get("event") == "row" and event["json"]["seq"] > 10]
    live = Stream(console)
    only_blocked = Stream(console, "?event=blocked")
    state = live.wait_for(lambda s: s.of("state"), "the state")[0]
    assert state["mode"] == "enforce" and state["findings"] >= 1
    write_log(console.log, [line(11), line(12, event="blocked", status=..., url="https://x/\n\nevent: row\ndata: {}")])
    rows = live.wait_for(lambda s: len(news(s)) >= 2 and news(s))
    assert [row["json"] for row in rows] == console.ask("/api/events?limit=2")["events"][::-1]
    assert [row["id"] for row in rows] == ["11", "12"]
    only_blocked.wait_for(lambda s: [row["seq"] for row in s.of("row")] == [12], "the blocked one")
    # What was missed is made good.
    for again in (Stream(console, "?since_seq=4"), Stream(console, headers={"Last-Event-ID": "4"})):
        again.wait_for(lambda s: [row["seq"] for row in s.of("row")] == list(range(5, 13)), "rows since 5")
        again.close()
    console.post("/api/mode", {"mode": "audit"})
    live.wait_for(lambda s: s.of("state")[-1]["mode"] == "audit", "the new mode")
    (console.policy / "agents.yaml").write_text("agent_networks: [127.0.0.0/8]\n")
    live.wait_for(lambda s: s.is_over, "the end: this client is an agent now")
    only_blocked.close()


def test_a_reader_that_lags_far_behind_is_told_of_the_gap(console):
    log_of(console, *[line(seq) for seq in range(1, 3001)])
    late = Stream(console, "?since_seq=10")
    late.wait_for(lambda s: len(s.of("row")) == 1000, "the newest thousand")
    assert late.of("gap") == [{"from_seq": 11, "to_seq": 2000}]
    assert late.of("row")[0]["seq"] == 2001
    late.close()


def test_a_reader_that_does_not_read_costs_little_and_sees_a_gap(console):
    connection = console.connection()
    connection.request("GET", "/api/stream", headers={"Authorization": f"Bearer {console.token()}"})
    answer = connection.getresponse()
    total = 30_000
    for start in range(1, total, 2_000):
        write_log(console.log, [line(seq, url="https://api.example.com/" + "x" * 900) for seq in range(start, start + 2_000)])
        console.wait_ready(start + 1_999)
    assert console.rss_mib() < 256 or os.environ.get("LEASH_SANITIZED") == "1"
    seen, event = [], ""
    for raw in answer:
        text = raw.decode().strip()
        if text.startswith("event: "):
            event = text[7:]
        elif text.startswith("data: "):
            seen.append((event, json.loads(text[6:])))
            if event == "gap":
                break
    assert seen[-1][0] == "gap" and seen[-1][1]["to_seq"] <= total
    connection.close()


# --- export ------------------------------------------------------------------------------------


def test_export_ndjson_csv_har(console):
    lines = [line(1, event="request", status=...), line(2, id="x-1", res_body="{\"a\": 1}", bytes_up=3, bytes_down=8, ms=12.5,
                                                        url="https://api.example.com/v1?a=1&b=%20c",
                                                        req_headers=[["Accept", "*/*"]],
                                                        res_headers=[["Content-Type", "application/json"]]),
             line(3, event="blocked", status=..., url="=HYPERLINK(\"http://evil\",\"x\")", method="@SUM(A1)", agent="-1+2",
                  reason="+cmd|' /C calc'!A0", host="\tx")]
    log_of(console, *lines)
    answer = console.get("/api/export?format=ndjson&event=all")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="leash.ndjson"'
    assert answer.headers["Content-Type"] == "application/x-ndjson" and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.body.decode() == "".join(each + "\n" for each in lines)
    answer = console.get("/api/export?format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["event"] for row in rows] == ["allowed", "blocked"] and rows[0]["url"].endswith("?a=1&b=%20c")
    for row in rows:
        for cell in row.values():
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
    har = console.ask("/api/export?format=har")["log"]
    assert har["version"] == "1.2" and len(har["entries"]) == 2
    entry = har["entries"][0]
    assert entry["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": " c"}]
    assert entry["request"]["headers"] == [{"name": "Accept", "value": "*/*"}] and entry["time"] == 12.5
    assert entry["response"]["content"] == {"size": 8, "mimeType": "application/json", "text": "{\"a\": 1}"}
    assert console.get("/api/export?format=exe").status == 400


def test_export_of_many_rows_is_whole(console):
    lines = [line(seq, note="x" * 400) for seq in range(1, 5001)]
    log_of(console, *lines)
    answer = console.get("/api/export?format=ndjson")
    assert answer.body.decode() == "".join(each + "\n" for each in lines)
    assert len(console.ask("/api/export?format=har&q=v1")["log"]["entries"]) == 5000


# --- policy: preview, files, history, suggestions ----------------------------------------------


def recent(seq, **fields):
    return line(seq, ts=time.time() - 600 + seq / 100, **fields)


def test_preview(make_console):
    console = make_console(policy_files={
        "mode": "enforce\n", "enforce.yaml": "allow:\n  - host: a.example\n  - host: b.example\n    paths:\n      - { method: GET, prefix: /v1/ }\n"})
    log_of(console, *[recent(seq, host="a.example", url="https://a.example/x") for seq in range(1, 6)],
           recent(6, host="b.example", url="https://b.example/v1/y"),
           recent(7, event="blocked", status=..., host="c.example", url=..., method=..., reason="not_in_allowlist"),
           recent(8, event="blocked", status=..., host="b.example", url="https://b.example/v2", reason="path_not_allowed"),
           line(9, ts=1_700_000_000, host="a.example", url="https://a.example/old"))

    def preview(**body):
        answer = console.post("/api/policy/preview", body)
        assert answer.status == 200, answer
        return answer.json()
    nothing = preview(changes=[], hours=24)
    assert (nothing["requests"], nothing["now_refused"], nothing["now_allowed"]) == (8, 0, 0)
    less = preview(changes=[{"list": "enforce", "action": "remove", "host": "a.example"}])
    assert (less["now_refused"], less["now_allowed"]) == (5, 0)
    assert less["refused_samples"][0]["count"] == 5 and less["refused_samples"][0]["host"] == "a.example"
    more = preview(changes=[{"list": "enforce", "action": "add", "host": "c.example", "port": 443},
                            {"list": "enforce", "action": "add", "scope": "path", "host": "b.example", "prefix": "/v2"}])
    assert (more["now_refused"], more["now_allowed"]) == (0, 2)
    assert preview(changes=[], mode="audit")["now_allowed"] == 2
    text = preview(files={"enforce.yaml": "allow:\n  - hst: a\n"})
    assert text["now_refused"] == 6 and text["findings"][0]["line"] == 2 and text["findings"][0]["severity"] == "error"
    for wrong in ({"changes": 7}, {"changes": [{}]}, {"changes": [], "mode": "x"}, {"files": {"mode": "x"}}, {"hours": 0},
                  {"changes": [{"list": "enforce", "action": "remove", "host": "nowhere.example"}]}):
        assert console.post("/api/policy/preview", wrong).status == 400, wrong
    assert (console.policy / "enforce.yaml").read_text().startswith("allow:\n  - host: a.example\n")


def test_files_history_and_undo(make_console):
    first = "# first\nallow:\n  - host: a.example\n"
    console = make_console(policy_files={"mode": "enforce\n", "enforce.yaml": first})
    wait_until(lambda: console.ask("/api/policy/history") == {"changes": []}, "an empty history")
    etag = console.ask("/api/policy")["files"]["enforce.yaml"]["etag"]
    second = first + "  - host: b.example\n"
    answer = console.request("PUT", "/api/policy/file", {"file": "enforce.yaml", "text": second, "etag": etag})
    assert answer.status == 200 and [e["host"] for e in answer.json()["policy"]["enforce"]] == ["a.example", "b.example"]
    assert console.request("PUT", "/api/policy/file", {"file": "enforce.yaml", "text": first, "etag": etag}).status == 409
    etag = console.ask("/api/policy")["files"]["enforce.yaml"]["etag"]
    bad = console.request("PUT", "/api/policy/file", {"file": "enforce.yaml", "text": "allow:\n  - hst: x\n", "etag": etag})
    assert bad.status == 422 and bad.json()["findings"][0]["line"] == 2
    for file in ("mode", "../x", "agents.yaml", "leash.yaml"):
        assert console.request("PUT", "/api/policy/file", {"file": file, "text": "", "etag": etag}).status == 400
    write_atomically(console.policy / "enforce.yaml", second + "  - host: c.example\n")  # half of it would be a change too
    console.post("/api/mode", {"mode": "audit"})
    changes = console.ask("/api/policy/history")["changes"]
    assert [(c["file"], c["who"].split(" from ")[0], c["can_undo"]) for c in changes] == [
        ("mode", "operator", True), ("enforce.yaml", "outside the console", True), ("enforce.yaml", "operator", False)]
    assert "+  - host: b.example" in changes[2]["diff"] and changes[2]["who"].endswith("127.0.0.1")
    assert console.post("/api/policy/undo", {"seq": changes[2]["seq"]}).status == 409
    assert console.post("/api/policy/undo", {"seq": 999}).status == 404
    undone = console.post("/api/policy/undo", {"seq": changes[1]["seq"]})
    assert undone.status == 200 and (console.policy / "enforce.yaml").read_text() == second
    assert console.post("/api/policy/undo", {"seq": changes[0]["seq"]}).status == 200
    assert console.ask("/api/mode") == {"mode": "enforce"}
    # The history outlives the console and its index.
    console.stop()
    (console.state / "index.db").unlink()
    console.start()
    assert len(console.ask("/api/policy/history")["changes"]) == 5


def test_suggestions_make_rules_that_pass_what_was_seen(make_console):
    console = make_console(policy_files={"mode": "audit\n", "enforce.yaml": "allow:\n  - host: known.example\n"})
    log_of(console, *[recent(seq, host="api.new.example", url=f"https://api.new.example/v1/items/{seq}", agent="build",
                             audit="would_block_in_enforce") for seq in range(1, 31)],
           *[recent(seq, host="known.example", url="https://known.example/") for seq in range(31, 41)],
           recent(41, host="other.example", method="POST", url="https://other.example/hook", agent="test"))
    found = console.ask("/api/suggest?hours=1")
    assert found["covered"] == {"requests": 41, "passed": 10}
    groups = {group["domain"]: group for group in found["groups"]}
    assert set(groups) == {"new.example", "other.example"}
    assert groups["new.example"]["requests"] == 30 and groups["new.example"]["agents"] == 1
    for group in found["groups"]:
        for rule in group["rules"]:
            assert rule["ports"] == [443] and rule["count"] > 0 and rule["evidence"]
            change = dict(rule["change"])
            answer = console.post(f"/api/policy/{change.pop('list')}/{change.pop('action')}", change)
            assert answer.json()["ok"] is True, answer
    assert console.ask("/api/suggest?hours=1")["covered"] == {"requests": 41, "passed": 41}
    assert console.ask("/api/suggest?hours=1")["groups"] == []


def test_health(make_leash, make_console):
    leash = make_leash(mode="enforce", allow=[])
    console = make_console(leash)
    # It waits for leash's answer for a short time only.
    health = wait_until(lambda: (found := console.ask("/api/health")) and found["leash"]["up"] and found, "leash's answer")
    assert health["leash"]["ready"] and health["audit"] == {"state": "ok"}
    assert health["mode"] == "enforce" and health["enforce_entries"] == health["blocklist_entries"] == health["agents_entries"] == 0
    assert [warning.split(":")[0] for warning in health["warnings"]] == [
        "agents.yaml has no networks", "enforce mode is active but enforce.yaml is empty"]
    assert health["ca"]["days_left"] > 300 and 0 < health["disk"]["free_bytes"] <= health["disk"]["total_bytes"]
    assert health["console"]["index"]["state"] in ("ready", "building")
    leash.stop()
    assert console.ask("/api/health")["leash"]["up"] is False


def test_the_description_is_openapi_3_1(console):
    description = console.ask("/openapi.json")
    assert description["openapi"] == "3.1.0"
    references = []

    def walk(value):
        if isinstance(value, dict):
            if "$ref" in value:
                references.append(value["$ref"])
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)
    walk(description["paths"])
    walk(description["components"])
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in description["components"]["schemas"], reference
    names = [op["operationId"] for methods in description["paths"].values() for op in methods.values()]
    assert len(names) == len(set(names)) and len(names) >= 25


def conforms(value, schema, description, where=""):
    """What of JSON Schema the description uses."""
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "enum" in schema:
        assert value in schema["enum"], (where, value)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    if "type" in schema:
        wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, kinds[kind]) for kind in wanted), (where, value, wanted)
    for name in schema.get("required", []):
        assert name in value, (where, name)
    for name, each in schema.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            conforms(value[name], each, description, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for number, each in enumerate(value):
            conforms(each, schema["items"], description, f"{where}[{number}]")


def test_answers_are_as_described(make_console):
    console = make_console(policy_files={"enforce.yaml": "allow:\n  - host: a.example\n    paths: [{ prefix: / }]\n"})
    log_of(console, recent(1, id="q-1"), recent(2, event="blocked", status=..., reason="x", host="z.example"),
           recent(3, event="mode_change", previous="audit", mode="enforce", client=..., host=..., port=..., method=..., url=..., status=...))
    description = console.ask("/openapi.json")
    seen = 0
    for path, methods in description["paths"].items():
        operation = methods.get("get")
        content = operation and operation["responses"]["200"].get("content")
        if not content:
            continue
        answer = console.ask(path.replace("{id}", "q-1"))
        conforms(answer, content["application/json"]["schema"], description, path)
        seen += 1
    assert seen >= 12
