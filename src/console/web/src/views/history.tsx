// Who changed what in the policy, and taking it back.
import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { PolicyChange } from "../api/types";
import { parseUnified } from "../logic/diff";
import { formatAgo, formatMoment } from "../logic/format";
import { visibleLine } from "../logic/visible_text";
import { DiffView } from "../parts/diff_view";
import { Icon } from "../parts/icon";
import { ask, complain, notify } from "../state/notices";
import { loadPolicy } from "../state/policy";
import { isOperator } from "../state/session";
import { refreshStatus } from "../state/status";

const step = 50;

export function HistoryView() {
  const [changes, setChanges] = useState<PolicyChange[] | null>(null);
  const [limit, setLimit] = useState(step);
  const [error, setError] = useState("");
  const load = async () => {
    try {
      setChanges((await api.history(limit)).changes);
      setError("");
    } catch (caught) {
      setError(caught instanceof Error ? caught.message : String(caught));
    }
  };
  useEffect(() => void load(), [limit]);

  const undo = async (change: PolicyChange) => {
    const yes = await ask("Undo this change?", `${change.file} becomes what it was before. That is a change of its own, with its entry here.`, "Undo change");
    if (!yes) return;
    try {
      await api.undo(change.seq);
      notify("The change is undone");
    } catch (caught) {
      complain(caught);
    }
    await Promise.all([load(), loadPolicy(), refreshStatus()]);
  };

  if (error !== "") {
    return (
      <p class="form-error" role="alert">
        {error}
      </p>
    );
  }
  if (changes === null) return <p class="quiet pad">Loading…</p>;
  if (changes.length === 0) {
    return (
      <div class="empty">
        <p>No change of the policy is on record yet.</p>
      </div>
    );
  }
  const now = new Date();
  return (
    <section aria-label="History">
      <ol class="history">
        {changes.map((change) => (
          <li key={`${change.seq}-${change.file}`} class="change">
            <header>
              <b class="mono">{visibleLine(change.file)}</b>
              <span title={formatMoment(change.ts)}>{formatAgo(change.ts, now)}</span>
              <span class="quiet">
                {formatMoment(change.ts)} · by {change.who ? visibleLine(change.who) : "somebody outside the console"}
              </span>
              <span class="spring" />
              {isOperator.value && change.can_undo && (
                <button type="button" class="button tiny" onClick={() => void undo(change)}>
                  <Icon name="undo" /> Undo
                </button>
              )}
            </header>
            {change.diff === "" ? <p class="quiet pad">The text before is not known.</p> : <DiffView lines={parseUnified(change.diff)} label={`Change of ${change.file}`} />}
          </li>
        ))}
      </ol>
      {changes.length >= limit && (
        <p class="pad">
          <button type="button" class="button" onClick={() => setLimit(limit + step)}>
            Older changes
          </button>
        </p>
      )}
    </section>
  );
}
