// From audit to enforce: what enforce would refuse, with rules that would let it pass.
import { useEffect, useMemo, useState } from "preact/hooks";
import { api } from "../api/client";
import type { SuggestedRule, SuggestGroup, Suggestions } from "../api/types";
import { formatCount, formatPercent } from "../logic/format";
import { coverage, evidenceOf, pathsOf, ruleKey } from "../logic/suggest";
import { visibleLine } from "../logic/visible_text";
import { complain } from "../state/notices";
import { applyChanges, manageAccess } from "../state/policy";
import { isOperator } from "../state/session";
import { mode } from "../state/status";

const spans = [
  { hours: 1, label: "Last hour" },
  { hours: 24, label: "Last 24 hours" },
  { hours: 168, label: "Last 7 days" },
  { hours: 720, label: "Last 30 days" },
];

export function HardeningPage() {
  const [hours, setHours] = useState(24);
  const [found, setFound] = useState<Suggestions | null>(null);
  const [taken, setTaken] = useState<ReadonlySet<string>>(new Set());
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);

  const load = async (signal?: AbortSignal) => {
    setBusy(true);
    try {
      const answer = await api.suggest(hours, signal);
      setFound(answer);
      const known = new Set(answer.groups.flatMap((group) => group.rules.map(ruleKey)));
      setTaken((before) => new Set([...before].filter((key) => known.has(key))));
      setError("");
    } catch (caught) {
      if (!signal?.aborted) setError(caught instanceof Error ? caught.message : String(caught));
    }
    if (!signal?.aborted) setBusy(false);
  };
  useEffect(() => {
    const control = new AbortController();
    void load(control.signal);
    return () => control.abort();
  }, [hours]);

  const toggle = (keys: string[], isOn: boolean) => {
    const next = new Set(taken);
    for (const key of keys) {
      if (isOn) next.add(key);
      else next.delete(key);
    }
    setTaken(next);
  };

  const accept = async (rules: SuggestedRule[]) => {
    if (rules.length === 0) return;
    setBusy(true);
    try {
      await applyChanges(
        rules.map((rule) => rule.change),
        rules.length === 1 ? `${rules[0]!.host} is in enforce.yaml now` : `${rules.length} rules are in enforce.yaml now`,
      );
    } catch (caught) {
      complain(caught);
    }
    await load();
  };

  const all = found?.groups.flatMap((group) => group.rules) ?? [];
  const chosen = all.filter((rule) => taken.has(ruleKey(rule)));
  return (
    <div class="page">
      <div class="page-head">
        <h1>Hardening</h1>
        <p class="quiet page-note">What enforce mode would refuse of the traffic that passed, with the rules that would let it pass.</p>
        <span class="spring" />
        <select class="input select" aria-label="Time range" value={String(hours)} onChange={(event) => setHours(Number(event.currentTarget.value))}>
          {spans.map((span) => (
            <option key={span.hours} value={String(span.hours)}>
              {span.label}
            </option>
          ))}
        </select>
      </div>
      {error !== "" && (
        <p class="form-error" role="alert">
          {error}
        </p>
      )}
      {found === null ? (
        error === "" && <p class="quiet pad">Looking at the log…</p>
      ) : (
        <>
          <Coverage found={found} taken={taken} />
          {all.length === 0 ? (
            <div class="empty">
              <p>Nothing to suggest.</p>
              <p class="quiet">
                {found.covered.requests === 0
                  ? mode.value === "audit"
                    ? "No agent has sent anything in this time."
                    : "No traffic in this time. Switch to audit mode to let agents work and see what they need."
                  : "The policy lets everything pass that passed in this time."}
              </p>
            </div>
          ) : (
            <>
              {isOperator.value && (
                <div class="accept-bar">
                  <label class="check">
                    <input
                      type="checkbox"
                      checked={chosen.length === all.length}
                      ref={(box) => {
                        if (box) box.indeterminate = chosen.length > 0 && chosen.length < all.length;
                      }}
                      onChange={(event) => toggle(all.map(ruleKey), event.currentTarget.checked)}
                    />
                    <span>All suggestions</span>
                  </label>
                  <span class="quiet">{chosen.length === 0 ? "Take what an agent needs; leave what it does not." : `${chosen.length} of ${all.length} taken`}</span>
                  <span class="spring" />
                  <button type="button" class="button primary" disabled={chosen.length === 0 || isBusy} onClick={() => void accept(chosen)}>
                    Accept {chosen.length > 0 ? chosen.length : ""} selected
                  </button>
                </div>
              )}
              {(found.left_out?.length ?? 0) > 0 && (
                <details class="left-out">
                  <summary>Left out on purpose: {found.left_out!.length}</summary>
                  <ul>
                    {found.left_out!.map((line, at) => (
                      <li key={at}>{visibleLine(line)}</li>
                    ))}
                  </ul>
                </details>
              )}
              {found.groups.map((group) => (
                <Group key={group.domain} group={group} taken={taken} isBusy={isBusy} onToggle={toggle} onAccept={(rules) => void accept(rules)} />
              ))}
            </>
          )}
        </>
      )}
    </div>
  );
}

function Coverage({ found, taken }: { found: Suggestions; taken: ReadonlySet<string> }) {
  const { requests, now, draft } = useMemo(() => coverage(found, taken), [found, taken]);
  const share = (part: number) => `${requests > 0 ? (part / requests) * 100 : 0}%`;
  return (
    <section class="coverage" aria-label="Coverage">
      <div class="coverage-text">
        <span class="coverage-number">{formatPercent(now + draft, requests)}</span>
        <span>
          of {formatCount(requests)} requests would pass in enforce mode
          {draft > 0 && <> with what is taken ({formatPercent(now, requests)} without)</>}
        </span>
      </div>
      <div class="coverage-bar" role="meter" aria-label="Requests that would pass" aria-valuemin={0} aria-valuemax={Math.max(1, requests)} aria-valuenow={now + draft} aria-valuetext={formatPercent(now + draft, requests)}>
        <span class="now" style={{ width: share(now) }} />
        <span class="draft" style={{ width: share(draft) }} />
      </div>
    </section>
  );
}

function Group({ group, taken, isBusy, onToggle, onAccept }: { group: SuggestGroup; taken: ReadonlySet<string>; isBusy: boolean; onToggle: (keys: string[], isOn: boolean) => void; onAccept: (rules: SuggestedRule[]) => void }) {
  return (
    <section class="group" aria-label={group.domain}>
      <header>
        <h2 class="mono">{visibleLine(group.domain)}</h2>
        <span class="quiet">
          {formatCount(group.requests)} {group.requests === 1 ? "request" : "requests"} · {group.agents} {group.agents === 1 ? "agent" : "agents"}
        </span>
        <span class="spring" />
        {isOperator.value && group.rules.length > 1 && (
          <button type="button" class="button tiny" disabled={isBusy} onClick={() => onAccept(group.rules)}>
            Accept all {group.rules.length}
          </button>
        )}
      </header>
      <ul>
        {group.rules.map((rule) => {
          const key = ruleKey(rule);
          const paths = pathsOf(rule);
          const evidence = evidenceOf(rule);
          return (
            <li key={key} class={`suggestion ${taken.has(key) ? "is-taken" : ""}`}>
              {isOperator.value && <input type="checkbox" aria-label={`Take ${rule.host}`} checked={taken.has(key)} onChange={(event) => onToggle([key], event.currentTarget.checked)} />}
              <div class="suggestion-rule">
                <span class="mono host">
                  {visibleLine(rule.host)}
                  <span class="port">:{rule.ports.join(", ")}</span>
                </span>
                <span class="suggestion-paths">
                  {rule.methods?.map((method) => (
                    <span key={method} class="method">
                      {visibleLine(method)}
                    </span>
                  ))}
                  {paths.length > 0 ? paths.map((path) => <span key={path} class="mono path">{visibleLine(path)}</span>) : <span class="quiet">all paths</span>}
                </span>
                {evidence !== "" && <span class="quiet evidence">{visibleLine(evidence)}</span>}
              </div>
              <span class="suggestion-count">{formatCount(rule.count)}</span>
              {isOperator.value && (
                <span class="suggestion-buttons">
                  <button type="button" class="button tiny" onClick={() => manageAccess({ host: rule.host, port: rule.ports[0] ?? 443, method: rule.methods?.[0] ?? "", path: rule.change.prefix ?? "/" })}>
                    Edit…
                  </button>
                  <button type="button" class="button tiny good" disabled={isBusy} onClick={() => onAccept([rule])}>
                    Accept
                  </button>
                </span>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
