// "Manage access": what the lists say about one target, and changing it, with the effect shown before it is saved.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { ListName, Mode } from "../api/types";
import { accessActions, completeChanges, describeChange, durations, type AccessAction } from "../logic/access";
import { normalHost } from "../logic/filters";
import { formatMoment } from "../logic/format";
import { standing, statusTexts, type Standing, type Target } from "../logic/match";
import { visibleLine } from "../logic/visible_text";
import { Dialog } from "../parts/dialog";
import { Segmented } from "../parts/segmented";
import { accessRequest, applyChanges, loadPolicy, policy, policyError } from "../state/policy";
import { isOperator } from "../state/session";
import { mode } from "../state/status";
import { PreviewView, usePreview } from "./preview_view";

const lists: { list: ListName; title: string; activeIn: Mode }[] = [
  { list: "enforce", title: "Enforce list", activeIn: "enforce" },
  { list: "blocklist", title: "Blocklist", activeIn: "blocklist" },
];

export function AccessDialog() {
  const request = accessRequest.value;
  if (request === null || !isOperator.value) return null;
  return <AccessForm key={JSON.stringify(request.target)} given={request.target} isFixed={request.isFixed} />;
}

function AccessForm({ given, isFixed }: { given: Target; isFixed: boolean }) {
  const [target, setTarget] = useState(given);
  const [chosen, setChosen] = useState<{ list: ListName; key: string } | null>(null);
  const [duration, setDuration] = useState("always");
  const [reason, setReason] = useState("");
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);
  const close = () => (accessRequest.value = null);

  useEffect(() => void loadPolicy(), []);

  const known = policy.value;
  const isNamed = target.host.trim() !== "";
  const states = useMemo(() => {
    if (known === null || !isNamed) return null;
    const now = new Date();
    return Object.fromEntries(lists.map(({ list }) => [list, standing(list, known[list], target, now)])) as Record<ListName, Standing>;
  }, [known, target]);
  const action: AccessAction | null = useMemo(() => {
    if (chosen === null || states === null) return null;
    return accessActions(chosen.list, states[chosen.list], target).find((one) => one.key === chosen.key) ?? null;
  }, [chosen, states, target]);
  const changes = useMemo(() => (action === null ? null : completeChanges(action.changes, duration, reason, new Date())), [action, duration, reason]);
  // The effect is that of the list in its own mode, whatever the mode is now. When it ends and why change nothing about it.
  const preview = usePreview(action === null || chosen === null ? null : { changes: action.changes, mode: chosen.list });

  const save = async () => {
    if (changes === null || action === null) return;
    setBusy(true);
    setError("");
    try {
      await applyChanges(changes, changes.map(describeChange).join("; "));
      close();
    } catch (caught) {
      setError(caught instanceof Error ? caught.message : String(caught));
      setBusy(false);
    }
  };

  return (
    <Dialog
      title="Manage access"
      size="wide"
      onClose={close}
      footer={
        <>
          <span class="quiet grow">{changes === null ? "Choose what to do; nothing is saved before you say so." : changes.map(describeChange).join("; ")}</span>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="button" class="button primary" disabled={changes === null || isBusy} onClick={() => void save()}>
            Save
          </button>
        </>
      }
    >
      {isFixed ? <TargetLine target={target} /> : <TargetFields target={target} onChange={setTarget} />}
      {policyError.value !== "" && (
        <p class="form-error" role="alert">
          {policyError.value}
        </p>
      )}
      <div class="access-lists">
        {states !== null &&
          lists.map(({ list, title, activeIn }) => (
            <AccessList
              key={list}
              title={title}
              list={list}
              state={states[list]}
              target={target}
              isActive={mode.value === activeIn}
              chosen={chosen?.list === list ? chosen.key : null}
              onChoose={(key) => setChosen(chosen?.list === list && chosen.key === key ? null : { list, key })}
            />
          ))}
      </div>
      {action !== null && chosen !== null && (
        <>
          {action.kind === "add" && (
            <div class="access-terms">
              <div class="field">
                <span id="duration-label">{chosen.list === "enforce" ? "Allow" : "Block"}</span>
                <Segmented label="For how long" value={duration} options={durations} onChange={setDuration} />
              </div>
              <label class="field grow">
                <span>Reason</span>
                <input class="input" type="text" maxLength={400} placeholder="why (kept with the entry, and in the log)" value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
              </label>
            </div>
          )}
          {chosen.list === "enforce" && action.key === "add_path" && states?.enforce.status === "whole_host" && (
            <p class="note">The whole host is allowed now; this narrows it to one path.</p>
          )}
          <PreviewView
            state={preview}
            modeNote={
              mode.value !== chosen.list
                ? `The mode is ${mode.value ?? "unknown"}: this list decides once ${chosen.list} mode is on.`
                : undefined
            }
          />
        </>
      )}
      {error !== "" && (
        <p class="form-error" role="alert">
          {error}
        </p>
      )}
    </Dialog>
  );
}

function TargetLine({ target }: { target: Target }) {
  return (
    <p class="access-target">
      <span class="mono host">{visibleLine(target.host)}</span>
      <span class="port">:{target.port}</span>
      {target.method !== "" && <span class="method">{visibleLine(target.method)}</span>}
      {target.path !== "" && <span class="mono path">{visibleLine(target.path)}</span>}
      <span class="spring" />
      <span class={`mode-label mode-${mode.value ?? "none"}`}>{mode.value} mode</span>
    </p>
  );
}

function TargetFields({ target, onChange }: { target: Target; onChange: (target: Target) => void }) {
  return (
    <div class="access-fields">
      <label class="field grow">
        <span>Host</span>
        <input class="input" type="text" placeholder="example.com" spellcheck={false} autocomplete="off" value={target.host} onChange={(event) => onChange({ ...target, host: normalHost(event.currentTarget.value) })} />
      </label>
      <label class="field">
        <span>Port</span>
        <input class="input port-field" type="number" min={1} max={65535} value={target.port} onChange={(event) => onChange({ ...target, port: Number(event.currentTarget.value) || 443 })} />
      </label>
      <label class="field">
        <span>Method</span>
        <input class="input port-field" type="text" placeholder="any" value={target.method} onChange={(event) => onChange({ ...target, method: event.currentTarget.value.trim().toUpperCase() })} />
      </label>
      <label class="field">
        <span>Path prefix</span>
        <input class="input" type="text" placeholder="/" spellcheck={false} value={target.path} onChange={(event) => onChange({ ...target, path: event.currentTarget.value.trim() || "/" })} />
      </label>
    </div>
  );
}

function AccessList({ title, list, state, target, isActive, chosen, onChoose }: {
  title: string;
  list: ListName;
  state: Standing;
  target: Target;
  isActive: boolean;
  chosen: string | null;
  onChoose: (key: string) => void;
}) {
  const isListed = state.status !== "not_listed";
  const passes = list === "enforce" ? state.status === "whole_host" || state.status === "path_listed" : !(state.status === "whole_host" || state.status === "path_listed");
  return (
    <section class={`access-list ${isActive ? "is-active" : ""}`} aria-label={title}>
      <h3>
        {title} {isActive && <span class="chip active">in force</span>}
      </h3>
      <p class={`access-status ${passes ? "passes" : "stops"}`}>
        <span class="light" aria-hidden="true" />
        {statusTexts[state.status]}
        {isListed && state.listed!.host !== target.host && (
          <>
            {" "}
            by <span class="mono">{state.listed!.host}</span>
          </>
        )}
      </p>
      {isListed && (
        <ul class="access-entries">
          {state.listed!.entries.map((entry, at) => (
            <li key={at}>
              <span class="mono">
                {entry.host}
                {entry.ports.length > 0 ? `:${entry.ports.join(",")}` : ""}
              </span>{" "}
              {entry.paths?.length ? entry.paths.map((path) => `${path.method || "any"} ${path.prefix}`).join(", ") : "all paths"}
              {entry.expires && <span class="quiet"> until {formatMoment(entry.expires)}</span>}
              {entry.reason && <span class="quiet"> · {entry.reason}</span>}
            </li>
          ))}
        </ul>
      )}
      <div class="access-buttons">
        {accessActions(list, state, target).map((action) => (
          <button key={action.key} type="button" class={`button ${action.kind === "remove" ? "" : list === "enforce" ? "good" : "danger-quiet"}`} aria-pressed={chosen === action.key} onClick={() => onChoose(action.key)}>
            {action.label}
          </button>
        ))}
      </div>
    </section>
  );
}
