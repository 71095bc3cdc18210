import { describe, expect, test } from "vitest";
import type { Entry } from "../../../src/console/web/src/api/types";
import { accessActions, completeChanges, pathOf, targetOf } from "../../../src/console/web/src/logic/access";
import { previewDifference } from "../../../src/console/web/src/logic/preview";
import { candidates, standing } from "../../../src/console/web/src/logic/match";

const now = new Date("2026-01-01T00:00:00Z");
const target = { host: "a.b.example.com", port: 443, method: "GET", path: "/v1/x" };
const entry = (host: string, more: Partial<Entry> = {}): Entry => ({ host, ports: [443], ...more });

describe("where a host is looked up", () => {
  test.each([
    ["a.b.example.com", ["a.b.example.com", "b.example.com", "example.com"]], ["localhost", ["localhost"]], ["10.0.0.1", ["10.0.0.1"]],
    ["2001:db8::1", ["2001:db8::1"]], ["Example.COM.", ["example.com"]],
  ])("%s", (host, names) => expect(candidates(host)).toEqual(names));
});

describe("what a list says", () => {
  test.each([
    ["not_listed", []], ["not_listed", [entry("com")]], ["not_listed", [entry("notexample.com")]], ["whole_host", [entry("example.com")]],
    ["whole_host", [entry("*.example.com")]], ["other_port", [entry("b.example.com", { ports: [80] }), entry("example.com")]],
    ["path_listed", [entry("example.com", { paths: [{ prefix: "/v1/" }] })]],
    ["path_not_covered", [entry("example.com", { paths: [{ method: "POST", prefix: "/v1/" }] })]],
    ["path_listed", [entry("example.com", { paths: [{ method: "get", prefix: "/v1/" }] })]],
    ["whole_host", [entry("example.com", { paths: [{ prefix: "/no" }] }), entry("example.com")]],
    ["not_listed", [entry("example.com", { expires: "2025-12-31T00:00:00Z" })]],
    ["whole_host", [entry("example.com", { expires: "2026-12-31T00:00:00Z" })]],
  ] as const)("%s", (status, entries) => expect(standing("enforce", entries, target, now).status).toBe(status));

  test("a block entry without ports covers them all", () => {
    expect(standing("blocklist", [entry("example.com", { ports: [] })], { ...target, port: 8080 }, now).status).toBe("whole_host");
    expect(standing("enforce", [entry("example.com", { ports: [] })], { ...target, port: 8080 }, now).status).toBe("other_port");
  });
});

describe("what can be done", () => {
  const actions = (entries: Entry[]) => accessActions("enforce", standing("enforce", entries, target, now), target);

  test("with a host that is not listed: allow it, or just this path", () => {
    expect(actions([]).map((action) => action.label)).toEqual(["Allow host", "Allow just this path"]);
    expect(actions([])[1]!.changes).toEqual([{ list: "enforce", action: "add", scope: "path", host: "a.b.example.com", port: 443, method: "GET", prefix: "/v1/x" }]);
  });

  test("what is removed is the entry that matched, not the record's own host", () => {
    const remove = actions([entry("example.com")]).at(-1)!;
    expect(remove.label).toBe("Remove example.com");
    expect(remove.changes[0]).toMatchObject({ action: "remove", scope: "host", host: "example.com" });
  });

  test("so is a path rule: by its own method and prefix", () => {
    const list = actions([entry("example.com", { paths: [{ method: "", prefix: "/v1" }] })]);
    const remove = list.find((action) => action.key === "remove_path")!;
    expect(remove.changes[0]).toMatchObject({ host: "example.com", method: "", prefix: "/v1" });
  });
});

test("a preview for a mode that is off counts the change, not the mode", () => {
  const row = (url: string) => ({ seq: 0, ts: "", event: "allowed", host: "x", port: 443, method: "GET", url });
  const preview = (now_refused: number, refused: string[]) => ({ requests: 100, now_refused, now_allowed: 0, refused_samples: refused.map(row), allowed_samples: [], findings: [] });
  const made = previewDifference(preview(50, ["/a", "/b"]), preview(20, ["/b"]));
  expect([made.now_allowed, made.now_refused]).toEqual([30, 0]);
  expect(made.allowed_samples.map((one) => one.url)).toEqual(["/a"]);
  expect(made.refused_samples).toEqual([]);
});

test("an end and a reason go with additions only", () => {
  const [add, remove] = completeChanges(
    [
      { list: "enforce", action: "add", scope: "host", host: "x", port: 443 },
      { list: "enforce", action: "remove", scope: "host", host: "y", port: 443 },
    ],
    "hour", " why ", now,
  );
  expect(add).toMatchObject({ reason: "why", expires: "2026-01-01T01:00:00Z" });
  expect(remove).not.toHaveProperty("expires");
  expect(completeChanges([add!], "always", "", now)[0]!.expires).toBe("2026-01-01T01:00:00Z");
});

test("a target is taken from a row, its path without the query", () => {
  expect(pathOf("https://x.example/a/b?c=d#e")).toBe("/a/b");
  expect(pathOf("https://x.example?c")).toBe("/");
  expect(targetOf({ host: "x", port: 80, method: "GET", url: "http://x/p?q" })).toEqual({ host: "x", port: 80, method: "GET", path: "/p" });
});
