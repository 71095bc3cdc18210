// What a row says, apart from how it looks.
import type { Row } from "../api/types";

export type Tone = "allowed" | "blocked" | "error" | "would_block" | "mode" | "quiet";

export function toneOf(row: Row): Tone {
  switch (row.event) {
    case "blocked":
      return "blocked";
    case "error":
    case "policy_error":
      return "error";
    case "allowed":
      return row.would_block ? "would_block" : "allowed";
    case "mode_change":
      return "mode";
    default:
      return row.would_block ? "would_block" : "quiet";
  }
}

const eventWords: Record<string, string> = {
  allowed: "allowed",
  blocked: "blocked",
  error: "error",
  request: "request sent",
  connect_allowed: "tunnel opened",
  tunnel_closed: "tunnel closed",
  websocket_message: "WebSocket message",
  websocket_closed: "WebSocket closed",
  mode_change: "mode changed",
  policy_change: "policy changed",
  policy_error: "policy finding",
  start: "leash started",
  stop: "leash stopped",
  checkpoint: "checkpoint",
};

export function eventWord(event: string): string {
  return eventWords[event] ?? event.replace(/_/g, " ");
}

const tagWords: Record<string, string> = {
  spliced: "spliced",
  name_mismatch: "name mismatch",
  redacted: "redacted",
  truncated: "truncated",
};

export function chipsOf(row: Row): { kind: string; text: string }[] {
  const chips: { kind: string; text: string }[] = [];
  if (row.would_block) chips.push({ kind: "would_block", text: "would block" });
  for (const tag of row.tags ?? []) {
    if (tag !== "would_block") chips.push({ kind: tag, text: tagWords[tag] ?? tag.replace(/_/g, " ") });
  }
  return chips;
}

// The middle column: a URL without its scheme, a host, or the sentence of an event that has neither.
export function subjectOf(row: Row): { host: string; path: string } {
  if (row.event === "mode_change") return { host: `${row.from ?? "?"} → ${row.to ?? row.mode ?? "?"}`, path: "" };
  if (row.url) {
    const found = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)(.*)$/is.exec(row.url);
    if (found) return { host: found[1]!, path: found[2]! };
    return { host: row.url, path: "" };
  }
  if (row.host) return { host: row.host, path: "" };
  return { host: row.reason || row.error || eventWord(row.event), path: "" };
}

export function statusTone(status: number | null | undefined): string {
  if (!status) return "none";
  return status >= 500 ? "server" : status >= 400 ? "client" : status >= 300 ? "redirect" : status >= 200 ? "good" : "none";
}

export function isUsualPort(port: number | null | undefined): boolean {
  return port === null || port === undefined || port === 0 || port === 443 || port === 80;
}

// What a screen reader hears of a row.
export function rowSentence(row: Row): string {
  const { host, path } = subjectOf(row);
  const parts = [eventWord(row.event), row.method ?? "", host + path, row.status ? `status ${row.status}` : "", row.reason ?? ""];
  return [...parts, ...chipsOf(row).map((chip) => chip.text)].filter((part) => part !== "").join(", ");
}
