// What "Manage access" can do for one target in one list, as changes for the API.
import type { Change, ListName } from "../api/types";
import type { Standing, Target } from "./match";

export interface AccessAction {
  key: string;
  label: string;
  kind: "add" | "remove";
  changes: Change[];
}

const verb: Record<ListName, string> = { enforce: "Allow", blocklist: "Block" };

export function accessActions(list: ListName, now: Standing, target: Target): AccessAction[] {
  const actions: AccessAction[] = [];
  const base = { list, host: target.host, port: target.port };
  const path = target.path || "/";
  if (now.status !== "whole_host" || now.listed?.host !== target.host) {
    if (now.status !== "whole_host") {
      actions.push({
        key: "add_host",
        label: `${verb[list]} host`,
        kind: "add",
        changes: [{ ...base, action: "add", scope: "host" }],
      });
    }
  }
  if (now.status === "not_listed" || now.status === "path_not_covered" || now.status === "other_port") {
    actions.push({
      key: "add_path",
      label: `${verb[list]} just this path`,
      kind: "add",
      changes: [{ ...base, action: "add", scope: "path", method: target.method, prefix: path }],
    });
  }
  // What is removed is the entry that matched, which may be a parent domain's or a shorter prefix.
  if (now.rule !== null) {
    const { method, prefix, entry } = now.rule;
    const same = prefix === path && entry.host === target.host;
    actions.push({
      key: "remove_path",
      label: same ? "Remove path rule" : `Remove path rule ${method || "any"} ${prefix}`,
      kind: "remove",
      changes: [{ list, action: "remove", scope: "path", host: entry.host, port: target.port, method, prefix }],
    });
  }
  if (now.listed !== null) {
    actions.push({
      key: "remove_host",
      label: now.listed.host === target.host ? "Remove host" : `Remove ${now.listed.host}`,
      kind: "remove",
      changes: [{ list, action: "remove", scope: "host", host: now.listed.host, port: target.port }],
    });
  }
  return actions;
}

export const durations: { value: string; label: string; seconds: number | null }[] = [
  { value: "hour", label: "for an hour", seconds: 3600 },
  { value: "day", label: "for a day", seconds: 86_400 },
  { value: "always", label: "until removed", seconds: null },
];

// The same changes with when they end and why. Removals have neither.
export function completeChanges(changes: readonly Change[], duration: string, reason: string, now: Date): Change[] {
  const seconds = durations.find((one) => one.value === duration)?.seconds ?? null;
  return changes.map((change) => {
    if (change.action === "remove") return change;
    const complete: Change = { ...change };
    if (reason.trim() !== "") complete.reason = reason.trim();
    if (seconds !== null) complete.expires = new Date(now.getTime() + seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
    return complete;
  });
}

export function describeChange(change: Change): string {
  const what = change.scope === "path" ? `${change.method || "any method"} ${change.prefix ?? "/"} on ${change.host}:${change.port}` : `${change.host}:${change.port}`;
  const file = `${change.list}.yaml`;
  if (change.action === "remove") return change.scope === "host" ? `Remove ${change.host} from ${file}` : `Remove ${what} from ${file}`;
  return `Add ${what} to ${file}`;
}

// The target that a row or a typed URL names.
export function targetOf(row: { host?: string | null; port?: number | null; method?: string | null; url?: string | null }): Target {
  return { host: row.host ?? "", port: row.port ?? 443, method: row.method ?? "", path: pathOf(row.url ?? "") };
}

export function pathOf(url: string): string {
  const found = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*([^?#]*)/i.exec(url);
  return found ? found[1] || "/" : "/";
}
