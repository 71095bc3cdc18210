// Policy matching as leash does it, for the dialogs: the exact host, then its parents down to two labels; the first host found is
// final, and its entries add up. (src/policy decides; this only says what is listed.)
import type { Entry, ListName } from "../api/types";

export function isAddress(host: string): boolean {
  return host.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
}

export function bareHost(host: string): string {
  return host.trim().toLowerCase().replace(/^\*\./, "").replace(/\.$/, "").replace(/^\[(.*)\]$/, "$1");
}

// The names under which a host may be listed, the nearest first.
export function candidates(host: string): string[] {
  const name = bareHost(host);
  if (isAddress(name)) return [name];
  const labels = name.split(".");
  const names = [name];
  for (let at = 1; at + 2 <= labels.length; at += 1) names.push(labels.slice(at).join("."));
  return names;
}

export interface Listed {
  host: string; // as the list has it
  entries: Entry[];
}

export function findListed(entries: readonly Entry[], host: string, now: Date): Listed | null {
  const living = entries.filter((entry) => !isExpired(entry, now));
  for (const name of candidates(host)) {
    const found = living.filter((entry) => bareHost(entry.host) === name);
    if (found.length > 0) return { host: found[0]!.host, entries: found };
  }
  return null;
}

export function isExpired(entry: Entry, now: Date): boolean {
  if (!entry.expires) return false;
  const at = new Date(entry.expires);
  return !Number.isNaN(at.getTime()) && at.getTime() <= now.getTime();
}

// Blocklist entries without ports cover every port; in enforce.yaml the default is 443.
export function coversPort(entry: Entry, port: number, list: ListName): boolean {
  if (!entry.ports || entry.ports.length === 0) return list === "blocklist" || port === 443;
  return entry.ports.includes(port);
}

export type ListStatus = "not_listed" | "other_port" | "whole_host" | "path_listed" | "path_not_covered";

export interface Standing {
  status: ListStatus;
  listed: Listed | null;
  rule: { entry: Entry; method: string; prefix: string } | null; // the path rule that covers it
}

export interface Target {
  host: string;
  port: number;
  method: string;
  path: string; // without the query
}

export function standing(list: ListName, entries: readonly Entry[], target: Target, now: Date): Standing {
  const listed = findListed(entries, target.host, now);
  if (listed === null) return { status: "not_listed", listed, rule: null };
  const forPort = listed.entries.filter((entry) => coversPort(entry, target.port, list));
  if (forPort.length === 0) return { status: "other_port", listed, rule: null };
  if (forPort.some((entry) => !entry.paths || entry.paths.length === 0)) return { status: "whole_host", listed, rule: null };
  for (const entry of forPort) {
    for (const { method = "", prefix } of entry.paths ?? []) {
      const methodFits = method === "" || method.toUpperCase() === target.method.toUpperCase();
      if (methodFits && target.path.startsWith(prefix)) return { status: "path_listed", listed, rule: { entry, method, prefix } };
    }
  }
  return { status: "path_not_covered", listed, rule: null };
}

export const statusTexts: Record<ListStatus, string> = {
  not_listed: "not in the list",
  other_port: "host listed, other port",
  whole_host: "host listed, all paths",
  path_listed: "this path listed",
  path_not_covered: "host listed, path not covered",
};
