// The entries of one list.
import { useMemo, useState } from "preact/hooks";
import type { Entry, ListName } from "../api/types";
import { formatAgo, formatMoment } from "../logic/format";
import { bareHost, isExpired } from "../logic/match";
import { visibleLine } from "../logic/visible_text";
import { manageAccess, policy } from "../state/policy";
import { route } from "../state/route";
import { isOperator } from "../state/session";
import { mode } from "../state/status";

const maxShown = 500;

export function Rules({ list }: { list: ListName }) {
  const wanted = new URLSearchParams(route.value.search).get("host") ?? "";
  const [filter, setFilter] = useState("");
  const entries = policy.value?.[list];
  const found = useMemo(() => (entries ?? []).filter((entry) => matches(entry, filter)), [entries, filter]);
  if (entries === undefined) return <p class="quiet pad">Loading…</p>;
  const now = new Date();
  return (
    <section aria-label={list === "enforce" ? "Enforce list" : "Blocklist"}>
      <div class="rules-head">
        <input class="input search" type="search" aria-label="Find a rule" placeholder="Find a host, path or reason" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <span class="quiet">
          {mode.value === list ? "This list decides now." : mode.value === "audit" ? "Audit mode: nothing is refused now." : `The mode is ${mode.value ?? "unknown"}: this list does not decide now.`}
        </span>
      </div>
      {found.length === 0 ? (
        <div class="empty">
          <p>{entries.length === 0 ? "The list is empty." : "No rule fits."}</p>
          {entries.length === 0 && <p class="quiet">{list === "enforce" ? "In enforce mode nothing passes." : "In blocklist mode nothing is blocked."}</p>}
        </div>
      ) : (
        <table class="rules">
          <thead>
            <tr>
              <th scope="col">Host</th>
              <th scope="col">Ports</th>
              <th scope="col">Methods and paths</th>
              <th scope="col">Reason</th>
              <th scope="col">Ends</th>
              {isOperator.value && (
                <th scope="col">
                  <span class="offscreen">Actions</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {found.slice(0, maxShown).map((entry, at) => (
              <tr key={`${entry.host}-${at}`} ref={wanted !== "" && bareHost(entry.host) === bareHost(wanted) ? scrollHere : undefined} class={`${isExpired(entry, now) ? "is-expired" : ""} ${wanted !== "" && bareHost(entry.host) === bareHost(wanted) ? "is-wanted" : ""}`}>
                <th scope="row" class="mono">
                  {visibleLine(entry.host)}
                  {entry.faulty && (
                    <a class="chip faulty" href="#/policy/editor">
                      {list === "enforce" ? "mistake: allows nothing" : "mistake: blocks all of it"}
                    </a>
                  )}
                  {entry.tls === "splice" && <span class="chip spliced">spliced</span>}
                  {entry.networks?.length ? <span class="chip">networks {entry.networks.join(", ")}</span> : null}
                </th>
                <td class="mono" data-label="Ports">
                  {entry.ports.length > 0 ? entry.ports.join(", ") : "all"}
                </td>
                <td data-label="Paths">
                  {entry.paths?.length ? (
                    <ul class="paths">
                      {entry.paths.map((path, index) => (
                        <li key={index}>
                          <span class="method">{path.method || "any"}</span> <span class="mono">{visibleLine(path.prefix)}</span>
                        </li>
                      ))}
                    </ul>
                  ) : (
                    <span class="quiet">everything</span>
                  )}
                </td>
                <td data-label="Reason">{entry.reason ? visibleLine(entry.reason) : <span class="quiet">–</span>}</td>
                <td data-label="Ends">
                  {entry.expires ? (
                    <span title={formatMoment(entry.expires)}>{isExpired(entry, now) ? `expired ${formatAgo(entry.expires, now)}` : formatAgo(entry.expires, now)}</span>
                  ) : (
                    <span class="quiet">–</span>
                  )}
                </td>
                {isOperator.value && (
                  <td class="actions">
                    <button type="button" class="button tiny" aria-label={`Manage access to ${entry.host}`} onClick={() => manageAccess(targetOfEntry(entry))}>
                      Manage
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found.length > maxShown && (
        <p class="quiet pad">
          {maxShown} of {found.length.toLocaleString("en-US")} are shown. Search to see the others.
        </p>
      )}
    </section>
  );
}

function scrollHere(element: HTMLTableRowElement | null): void {
  element?.scrollIntoView({ block: "center" });
}

function matches(entry: Entry, filter: string): boolean {
  const wanted = filter.trim().toLowerCase();
  if (wanted === "") return true;
  const all = [entry.host, entry.reason ?? "", ...(entry.paths ?? []).map((path) => `${path.method ?? ""} ${path.prefix}`)];
  return all.some((text) => text.toLowerCase().includes(wanted));
}

function targetOfEntry(entry: Entry) {
  const path = entry.paths?.[0];
  return { host: bareHost(entry.host), port: entry.ports[0] ?? 443, method: path?.method ?? "", path: path?.prefix ?? "/" };
}
