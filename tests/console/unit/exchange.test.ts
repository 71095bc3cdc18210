import { describe, expect, test } from "vitest";
import { isLineOf, parseRule, viewExchange } from "../../../src/console/web/src/logic/exchange";
import { redactHeaders } from "../../../src/console/web/src/logic/redact";
import { chipsOf, rowSentence, subjectOf, toneOf } from "../../../src/console/web/src/logic/row_text";

describe("the lines of a request", () => {
  const lines = [
    { ts: 1, event: "request", host: "x.example", port: 443, method: "GET", url: "https://x.example/ws", id: "1" },
    { ts: 2, event: "allowed", host: "x.example", port: 443, status: 101, req_headers: [["Host", "y.example"], ["broken"], "no pair"], res_headers: [["Location", "/z"]], sni: "x.example", addr: "192.0.2.1:443",
      alpn: "http/1.1", origin_cert: "ab", names: "mismatch: host y.example:443", rule: "enforce.yaml:12 x.example", note: "why", id: "1" },
    { ts: 3, event: "websocket_message", req_body: "up", id: "1" },
    { ts: 4, event: "websocket_message", res_body: "down", res_truncated: true, id: "1" },
    { ts: 5, event: "websocket_closed", messages_up: 1, id: "1" },
  ];

  test("tell the six names and what does not agree", () => {
    expect(viewExchange(lines).names).toEqual({
      target: "x.example:443", sni: "x.example", authority: "y.example", address: "192.0.2.1:443", alpn: "http/1.1", certificate: "ab", mismatch: "mismatch: host y.example:443",
    });
  });

  test("tell who decided", () => {
    expect(viewExchange(lines).rule).toEqual({ file: "enforce.yaml", line: 12, host: "x.example", note: "why" });
    expect(parseRule("enforce.yaml:x.example", undefined)).toMatchObject({ line: null, host: "x.example" });
    expect(parseRule("enforce.yaml:3 2001:db8::1", undefined)).toMatchObject({ line: 3, host: "2001:db8::1" });
    expect(parseRule(null, null)).toBeNull();
  });

  test("keep a WebSocket's messages apart from the bodies", () => {
    const view = viewExchange(lines);
    expect(view.messages.map(({ direction, text, truncated }) => [direction, text, truncated])).toEqual([["up", "up", false], ["down", "down", true]]);
    expect(view.request.body).toBeNull();
    expect(view.request.headers).toEqual([["Host", "y.example"]]);
    expect(view.location).toBe("/z");
    expect(view.closing?.["event"]).toBe("websocket_closed");
  });

  test("of any shape do no harm", () => expect(viewExchange([{}, { event: 5, req_headers: "x", port: null }]).names.target).toBe(""));
});

test("a line without an id is known by what it says", () => {
  const row = { seq: 5, ts: "2026-01-01T00:00:00.250Z", event: "blocked", host: "x.example", client: "10.0.0.1", url: null };
  const line = { ts: 1767225600.25, event: "blocked", host: "x.example", client: "10.0.0.1" };
  expect(isLineOf(row, line)).toBe(true);
  for (const other of [{ ts: 1767225601.25 }, { event: "allowed" }, { host: "y.example" }, { url: "https://x.example/" }, { status: 200 }]) expect(isLineOf(row, { ...line, ...other })).toBe(false);
});

test("secrets are masked on the screen, the log's own marks stay", () => {
  const headers: [string, string][] = [["Authorization", "Bearer x"], ["cookie", "[redacted hmac:0badcafe]"], ["Accept", "*/*"]];
  expect(redactHeaders(headers, true).map(([, value]) => value)).toEqual(["••••••••", "[redacted hmac:0badcafe]", "*/*"]);
  expect(redactHeaders(headers, false)).toEqual(headers);
});

describe("a row", () => {
  const row = { seq: 1, ts: "", event: "allowed", url: "https://x.example/a?b", host: "x.example", method: "GET", status: 200 };

  test.each([["allowed", {}, "allowed"], ["would_block", { would_block: true }, "allowed"], ["blocked", {}, "blocked"], ["error", {}, "error"], ["mode", {}, "mode_change"], ["error", {}, "policy_error"]])(
    "is tinted %s", (tone, more, event) => expect(toneOf({ ...row, ...more, event })).toBe(tone),
  );

  test("says what it is about", () => {
    expect(subjectOf(row)).toEqual({ host: "x.example", path: "/a?b" });
    expect(subjectOf({ seq: 1, ts: "", event: "mode_change", from: "audit", to: "enforce" }).host).toBe("audit → enforce");
    expect(subjectOf({ seq: 1, ts: "", event: "stop" }).host).toBe("leash stopped");
    expect(rowSentence({ ...row, would_block: true })).toBe("allowed, GET, x.example/a?b, status 200, would block");
  });

  test("has its chips", () => expect(chipsOf({ ...row, would_block: true, tags: ["spliced", "name_mismatch", "would_block"] }).map((chip) => chip.text)).toEqual(["would block", "spliced", "name mismatch"]));
});
