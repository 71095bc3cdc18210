import { describe, expect, test } from "vitest";
import { describeBody, splitLines } from "../../../src/console/web/src/logic/body_text";
import { indentJson, jsonTokens } from "../../../src/console/web/src/logic/json_text";
import { layOutSse, looksLikeSse, parseSse } from "../../../src/console/web/src/logic/sse_text";
import { visible, visibleLine } from "../../../src/console/web/src/logic/visible_text";

describe("JSON is laid out", () => {
  test.each([
    ['{"a":1,"b":[1,2,{}],"c":"x:,{}"}', { a: 1, b: [1, 2, {}], c: "x:,{}" }],
    ["[]", []],
    ['{ "a" : { } , "b" : [ ] }', { a: {}, b: [] }],
    ['"just \\" text"', 'just " text'],
    ['{"emoji":"\\ud83d\\ude00","deep":[[[1]]]}', { emoji: "😀", deep: [[[1]]] }],
  ])("%j as JSON.stringify would", (text, value) => expect(indentJson(text)).toBe(JSON.stringify(value, null, 2).replace("😀", "\\ud83d\\ude00")));

  test("without touching what numbers and repeated keys say", () => {
    expect(indentJson('{"n":12345678901234567890.10,"n":1}')).toBe('{\n  "n": 12345678901234567890.10,\n  "n": 1\n}');
  });

  test("also where it was cut or is broken", () => {
    expect(indentJson('{"a":"unfinis')).toBe('{\n  "a": "unfinis');
    expect(indentJson('{"a":[1,2')).toBe('{\n  "a": [\n    1,\n    2');
    expect(indentJson("}}]")).toBe("\n}\n}\n]");
    expect(indentJson('{"a":"\\')).toBe('{\n  "a": "\\');
  });

  test("line by line where there are several values", () => expect(indentJson('{"a":1}\n{"b":2}\n')).toBe('{\n  "a": 1\n}\n{\n  "b": 2\n}'));

  test("a megabyte too, and a hostile one does not grow without end", () => {
    const wide = JSON.stringify(Array.from({ length: 20_000 }, (_, at) => ({ at, text: "x".repeat(30) })));
    expect(JSON.parse(indentJson(wide))).toEqual(JSON.parse(wide));
    for (const one of ["[", "{", '"', ",", "[1,", "\n"]) expect(indentJson(one.repeat(300_000)).length).toBeLessThan(300_000 * 40);
  }, 60_000);

  test("keys, strings, numbers and words have their colours", () => {
    expect(jsonTokens('  "a": "b", 1.5e3 true')).toEqual([
      { kind: "plain", text: "  " }, { kind: "key", text: '"a"' }, { kind: "plain", text: ":" }, { kind: "plain", text: " " },
      { kind: "string", text: '"b"' }, { kind: "plain", text: ", " }, { kind: "number", text: "1.5e3" }, { kind: "plain", text: " " }, { kind: "word", text: "true" },
    ]);
    for (const line of ['{"', "\\", '"\\', "", "<img src=x onerror=alert(1)>"]) expect(jsonTokens(line).map((token) => token.text).join("")).toBe(line);
  });
});

describe("server-sent events", () => {
  test("are read as browsers read them", () => {
    expect(parseSse(": hi\nevent: a\nid: 7\ndata: one\ndata:two\n\ndata: [DONE]\r\n\r\nretry: 5\n\n")).toEqual([
      { event: "a", id: "7", data: "one\ntwo" }, { event: "message", id: "7", data: "[DONE]" },
    ]);
  });

  test("the last one is kept where the body was cut", () => expect(parseSse('data: {"a":')).toEqual([{ event: "message", id: "", data: '{"a":' }]));

  test("their JSON is laid out", () => expect(layOutSse('event: x\ndata: {"a":1}\n\n')).toBe('event: x\n{\n  "a": 1\n}'));

  test("are told from other text", () => {
    expect(looksLikeSse("\n: c\ndata: x")).toBe(true);
    expect(looksLikeSse("database: x")).toBe(false);
  });
});

describe("a body", () => {
  test.each([
    ['{"a":1}', "text/plain", "json"], ["plain", "application/vnd.api+json", "json"], ["data: x\n\n", "text/event-stream", "sse"], ["data: x\n\n", "", "sse"],
    ["a=1&b=%20x", "application/x-www-form-urlencoded", "form"], ["[binary, 12 bytes]", "image/png", "binary"], ["hello", "text/html; charset=utf-8", "text"],
    ["{}\n{}", "application/x-ndjson", "json"],
  ])("%j of type %j is %s", (text, type, kind) => expect(describeBody(text, type).kind).toBe(kind));

  test("a form is shown decoded, a broken escape as it is", () => expect(describeBody("a=1+2&b=%zz&c", "application/x-www-form-urlencoded").pretty).toBe("a = 1 2\nb = %zz\nc"));

  test("long lines go on in the next, never between the halves of a character", () => {
    expect(splitLines("ab\r\nc\rd", 10)).toEqual(["ab", "c", "d"]);
    expect(splitLines("abcdef", 4)).toEqual(["abcd", "ef"]);
    expect(splitLines("abc😀d", 4)).toEqual(["abc", "😀d"]);
    expect(splitLines("x".repeat(1_048_576)).length).toBe(Math.ceil(1_048_576 / 400));
    expect(splitLines("\ud83d".repeat(5), 1).join("")).toBe("\ud83d".repeat(5));
  });
});

test("what hides or turns text round is shown as an escape", () => {
  expect(visible("a\u202eb\u0000c\u200bd\ud800e😀")).toBe("a\\u202eb\\u0000c\\u200bd\\ud800e😀");
  expect(visible("tab\tand\nbreak")).toBe("tab\tand\nbreak");
  expect(visibleLine("a\nb\tc")).toBe("a\\nb\\tc");
});
