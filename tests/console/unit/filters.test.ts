import { describe, expect, test } from "vitest";
import {
  countFilters, filtersFromSearch, filtersToQuery, filtersToSearch, isStatusFilter, noFilters, normalHost, relativeSeconds,
} from "../../../src/console/web/src/logic/filters";

describe("filters in the address bar", () => {
  test("defaults leave nothing there", () => {
    expect(filtersToSearch(noFilters)).toBe("");
    expect(filtersFromSearch("")).toEqual(noFilters);
  });

  test("come back as they were", () => {
    const filters = { ...noFilters, q: "a b&c=d#%", host: "x.example", status: "4xx", after: "", before: "2026-01-01T00:00:00.000Z", wouldBlock: true, internetOnly: true };
    expect(filtersFromSearch(filtersToSearch(filters))).toEqual(filters);
  });

  test("all time is not the default range", () => {
    expect(filtersFromSearch("after=").after).toBe("");
    expect(filtersFromSearch("q=x").after).toBe("24h");
  });

  test("unknown names are left out, endless values are cut", () => {
    expect(filtersFromSearch("nonsense=1&__proto__=2")).toEqual(noFilters);
    expect(filtersFromSearch(`q=${"x".repeat(5000)}`).q).toHaveLength(1000);
  });

  test("become the API's parameters", () => {
    expect(filtersToQuery({ ...noFilters, q: "  x ", wouldBlock: true }, ["a.example", "b.example"])).toEqual({
      q: "x", after: "24h", would_block: "1", exclude_hosts: "a.example,b.example",
    });
    expect(countFilters({ ...noFilters, q: "x", wouldBlock: true, after: "1h" })).toBe(2);
  });
});

test.each([["", true], ["404", true], ["4xx", true], ["400-499,503", true], ["4", false], ["abc", false], ["404;", false]])("status filter %j: %s", (text, isGood) => {
  expect(isStatusFilter(text)).toBe(isGood);
});

test.each([
  ["Example.COM.", "example.com"], [" https://example.com:8443/path?q ", "example.com"], ["example.com:80", "example.com"], ["[2001:db8::1]:443", "2001:db8::1"],
  ["2001:db8::1", "2001:db8::1"], ["a,b", "ab"], ["", ""],
])("host %j is hidden as %j", (typed, host) => expect(normalHost(typed)).toBe(host));

test.each([["15m", 900], ["2h ago", 7200], ["7d", 604800], ["x", null], ["", null]])("%j is %s seconds", (text, seconds) => expect(relativeSeconds(text)).toBe(seconds));
