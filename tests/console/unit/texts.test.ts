import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { withQuery } from "../../../src/console/web/src/api/client";
import { diffLines, parseUnified } from "../../../src/console/web/src/logic/diff";
import { formatBytes, formatCount, formatMs, formatPercent, formatSeconds } from "../../../src/console/web/src/logic/format";
import { parseMarkdown } from "../../../src/console/web/src/logic/markdown";
import { coverage, ruleKey } from "../../../src/console/web/src/logic/suggest";
import { yamlTokens } from "../../../src/console/web/src/logic/yaml_tokens";
import { formatHash, parseHash } from "../../../src/console/web/src/state/route";

describe("numbers", () => {
  test.each([[0, "0 B"], [999, "999 B"], [1536, "1.5 KB"], [1048576, "1.0 MB"], [null, "–"]])("%s bytes", (bytes, text) => expect(formatBytes(bytes)).toBe(text));
  test.each([[0.4, "<1 ms"], [12.4, "12 ms"], [1234, "1.23 s"], [61_000, "1 min 1 s"]])("%s ms", (ms, text) => expect(formatMs(ms)).toBe(text));
  test.each([[9999, "9,999"], [12_345, "12.3 k"], [1_200_000, "1.2 M"]])("count %s", (count, text) => expect(formatCount(count)).toBe(text));
  test.each([[1, 2, "50.0 %"], [99_999, 100_000, "99.9 %"], [5, 5, "100 %"], [0, 5, "0 %"], [0, 0, "–"]])("%s of %s", (part, whole, text) => expect(formatPercent(part, whole)).toBe(text));
  test("times have two units at most", () => {
    expect(formatSeconds(90_061)).toBe("1 d 1 h");
    expect(formatSeconds(3600)).toBe("1 h");
    expect(formatSeconds(0)).toBe("0 s");
  });
});

describe("differences", () => {
  test("of two texts, with what stands around", () => {
    expect(diffLines("a\nb\nc\n", "a\nx\nc\n")).toEqual([
      { kind: "same", text: "a" }, { kind: "removed", text: "b" }, { kind: "added", text: "x" }, { kind: "same", text: "c" },
    ]);
    expect(diffLines("a\n", "a\n")).toEqual([]);
    expect(diffLines("", "a\n").some((line) => line.kind === "added")).toBe(true);
  });

  test("long stretches without a change are folded", () => {
    const middle = Array.from({ length: 50 }, (_, at) => `line ${at}`).join("\n");
    const lines = diffLines(`a\n${middle}\nz`, `b\n${middle}\ny`);
    expect(lines.filter((line) => line.kind === "head")).toHaveLength(1);
    expect(lines.length).toBeLessThan(14);
  });

  test("are read from a unified diff", () => {
    expect(parseUnified("--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n z\n").map((line) => line.kind)).toEqual(["head", "removed", "added", "same"]);
  });
});

test("YAML has its colours, and loses nothing", () => {
  expect(yamlTokens("  - host: a#b  # why").map((token) => token.kind)).toContain("comment");
  expect(yamlTokens("ports: [443]").map((token) => token.kind)).toEqual(["key", "plain", "number", "plain"]);
  for (const line of ["", "#", '"', "a: 'b", "{ method: GET, prefix: / }", "<script>"]) expect(yamlTokens(line).map((token) => token.text).join("")).toBe(line);
});

test("the coverage of a draft counts what is taken, and never more than there is", () => {
  const rule = { host: "x", ports: [443], count: 30, change: { list: "enforce", action: "add", scope: "host", host: "x", port: 443 } } as const;
  const suggestions = { groups: [{ domain: "x", requests: 30, agents: 1, rules: [{ ...rule, ports: [443] }] }], covered: { requests: 100, passed: 80 } };
  expect(coverage(suggestions, new Set())).toEqual({ requests: 100, now: 80, draft: 0 });
  expect(coverage(suggestions, new Set([ruleKey({ ...rule, ports: [443] })]))).toEqual({ requests: 100, now: 80, draft: 20 });
});

describe("the address", () => {
  test.each([
    ["", { page: "traffic", rest: "", search: "" }], ["#/policy/history", { page: "policy", rest: "history", search: "" }],
    ["#/traffic?q=a%2Fb", { page: "traffic", rest: "", search: "q=a%2Fb" }], ["#/nonsense/x", { page: "traffic", rest: "x", search: "" }], ["#javascript:alert(1)", { page: "traffic", rest: "", search: "" }],
  ])("%j", (hash, route) => expect(parseHash(hash)).toEqual(route));

  test("comes back", () => expect(parseHash(formatHash("policy", "enforce", "host=x"))).toEqual({ page: "policy", rest: "enforce", search: "host=x" }));
});

test("a query leaves out what is empty", () => expect(withQuery("/x", { a: "", b: null, c: false, d: true, e: "1&2", f: 0 })).toBe("/x?d=1&e=1%262&f=0"));

describe("the documents", () => {
  const names = ["POLICY", "AUDIT", "OPERATIONS"];
  const texts = names.map((name) => readFileSync(new URL(`../../../docs/${name}.md`, import.meta.url), "utf8"));

  test("are read whole: every word of them comes out", () => {
    for (const text of texts) {
      const out = JSON.stringify(parseMarkdown(text)).replace(/\\[nt"\\]/g, " ");
      const words = text.replace(/\]\([^)]*\)/g, "]").match(/[A-Za-z]{5,}/g)!;
      expect(words.filter((word) => !out.includes(word))).toEqual([]);
    }
  });

  test("have no table or code left in their paragraphs", () => {
    for (const text of texts) {
      for (const block of parseMarkdown(text)) {
        if (block.kind === "paragraph") expect(block.text.filter((part) => part.kind === "text" && /```|\| ---/.test(part.text))).toEqual([]);
      }
    }
  });

  test("what looks like HTML or a script link stays text", () => {
    expect(parseMarkdown("<b>x</b> [y](javascript:alert(1))")).toEqual([
      { kind: "paragraph", text: [{ kind: "text", text: "<b>x</b> " }, { kind: "link", text: "y", href: "javascript:alert(1" }, { kind: "text", text: ")" }] },
    ]);
  });
});
