// One request as its log lines tell it: intent, outcome, and what a WebSocket said in between.
import type { RawLine, Row } from "../api/types";
import type { HeaderPair } from "./body_text";

export interface Message {
  ts: unknown;
  direction: "up" | "down";
  text: string;
  truncated: boolean;
}

export interface Part {
  headers: HeaderPair[] | null;
  body: string | null;
  truncated: boolean;
}

export interface Names {
  target: string;
  sni: string;
  authority: string;
  address: string;
  alpn: string;
  certificate: string;
  mismatch: string; // what did not agree, or empty
}

export interface Rule {
  file: string;
  line: number | null;
  host: string;
  note: string;
}

export interface ExchangeView {
  request: Part;
  response: Part;
  location: string; // of a redirect
  messages: Message[];
  names: Names;
  rule: Rule | null;
  outcome: RawLine | null;
  closing: RawLine | null; // tunnel_closed or websocket_closed
}

const text = (value: unknown): string => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");

function headers(value: unknown): HeaderPair[] | null {
  if (!Array.isArray(value)) return null;
  return value.filter((pair) => Array.isArray(pair) && pair.length >= 2).map((pair) => [text(pair[0]), text(pair[1])]);
}

function part(lines: RawLine[], side: "req" | "res"): Part {
  const found: Part = { headers: null, body: null, truncated: false };
  for (const line of lines) {
    if (line["event"] === "websocket_message") continue;
    found.headers = headers(line[`${side}_headers`]) ?? found.headers;
    if (typeof line[`${side}_body`] === "string") found.body = line[`${side}_body`] as string;
    if (line[`${side}_truncated`] === true) found.truncated = true;
  }
  return found;
}

// "enforce.yaml:12 example.com", or "enforce.yaml:example.com" as rows have it.
export function parseRule(value: unknown, note: unknown): Rule | null {
  const said = text(value);
  if (said === "") return null;
  const found = /^([^:\s]+):(?:(\d+)(?: (.*))?|(.*))$/s.exec(said);
  if (!found) return { file: said, line: null, host: "", note: text(note) };
  return { file: found[1]!, line: found[2] ? Number(found[2]) : null, host: found[3] ?? found[4] ?? "", note: text(note) };
}

function last(lines: RawLine[], name: string): unknown {
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const value = lines[at]![name];
    if (value !== undefined && value !== null && value !== "") return value;
  }
  return undefined;
}

// Whether the log's line is the one that a row was made of, by what both say.
export function isLineOf(row: Row, line: RawLine): boolean {
  const same = (name: "url" | "method" | "client" | "host" | "status") => (row[name] ?? "") === (line[name] ?? "");
  const isThen = typeof line["ts"] === "number" && Math.abs(line["ts"] * 1000 - new Date(row.ts).getTime()) < 2;
  return isThen && line["event"] === row.event && same("url") && same("method") && same("client") && same("host") && same("status");
}

export function viewExchange(lines: RawLine[]): ExchangeView {
  const isOutcome = (line: RawLine) => line["event"] === "allowed" || line["event"] === "blocked" || line["event"] === "error";
  const isClosing = (line: RawLine) => line["event"] === "tunnel_closed" || line["event"] === "websocket_closed";
  const request = part(lines, "req");
  const response = part(lines, "res");
  const find = (list: HeaderPair[] | null, name: string) => list?.find(([key]) => key.toLowerCase() === name)?.[1] ?? "";
  const host = text(last(lines, "host"));
  const port = text(last(lines, "port"));
  const named = find(request.headers, ":authority") || find(request.headers, "host") || urlAuthority(text(last(lines, "url")));
  const messages: Message[] = [];
  for (const line of lines) {
    if (line["event"] !== "websocket_message") continue;
    const up = typeof line["req_body"] === "string";
    messages.push({
      ts: line["ts"],
      direction: up ? "up" : "down",
      text: text(up ? line["req_body"] : line["res_body"]),
      truncated: line[up ? "req_truncated" : "res_truncated"] === true,
    });
  }
  return {
    request,
    response,
    location: find(response.headers, "location"),
    messages,
    names: {
      target: host ? `${host.includes(":") ? `[${host}]` : host}:${port}` : "",
      sni: text(last(lines, "sni")),
      authority: named,
      address: text(last(lines, "addr")),
      alpn: text(last(lines, "alpn")),
      certificate: text(last(lines, "origin_cert")),
      mismatch: text(last(lines, "names")),
    },
    rule: parseRule(last(lines, "rule"), last(lines, "note")),
    outcome: [...lines].reverse().find(isOutcome) ?? null,
    closing: [...lines].reverse().find(isClosing) ?? null,
  };
}

function urlAuthority(url: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1] ?? "";
}
