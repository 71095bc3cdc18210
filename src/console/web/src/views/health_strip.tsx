// How leash is, in one line at the lower edge.
import type { ComponentChildren } from "preact";
import { formatBytes, formatCount, formatPercent } from "../logic/format";
import { Icon } from "../parts/icon";
import { ask, complain, notify } from "../state/notices";
import { policy } from "../state/policy";
import { isOperator, session } from "../state/session";
import { health, isDisconnected, meta, refreshStatus } from "../state/status";
import { index, load } from "../state/traffic";
import { api } from "../api/client";

type Light = "good" | "warn" | "bad" | "none";

function Item({ light, label, children, href, title }: { light: Light; label: string; children: ComponentChildren; href?: string; title?: string }) {
  const words: Record<Light, string> = { good: "good", warn: "warning", bad: "bad", none: "" };
  const inner = (
    <>
      {light !== "none" && <span class={`light ${light}`} aria-hidden="true" />}
      <span class="strip-label">{label}</span> <span>{children}</span>
      {words[light] !== "" && light !== "good" && <span class="offscreen"> ({words[light]})</span>}
    </>
  );
  return href ? (
    <a class="strip-item" href={href} title={title}>
      {inner}
    </a>
  ) : (
    <span class="strip-item" title={title}>
      {inner}
    </span>
  );
}

async function clearLog(): Promise<void> {
  const yes = await ask("Clear the log?", "The audit log is put aside and a new one begins. What is put aside is not shown here any more.", "Clear log", "danger");
  if (!yes) return;
  try {
    await api.clearLog();
    notify("The log was cleared");
    await load();
    void refreshStatus();
  } catch (error) {
    complain(error);
  }
}

export function HealthStrip() {
  const now = health.value;
  const state = index.value ?? now?.console?.index;
  const findings = now?.findings ?? policy.value?.findings ?? null;
  const isUp = now?.leash?.up ?? null;
  const audit = now?.audit?.state ?? null;
  const free = now?.disk?.free_bytes ?? null;
  const total = now?.disk?.total_bytes ?? null;
  const days = now?.ca?.days_left ?? null;
  return (
    <footer class="strip" aria-label="Health">
      {isDisconnected.value && <Item light="bad" label="console">disconnected</Item>}
      {isUp !== null && (
        <Item light={isUp ? (now?.leash?.ready === false ? "warn" : "good") : "bad"} label="leash" title={now?.leash?.reasons}>
          {isUp ? (now?.leash?.ready === false ? "not ready" : "up") : "down"}
          {now?.leash?.version ? ` ${now.leash.version}` : ""}
        </Item>
      )}
      {audit !== null && (
        <Item light={/^(ok|good|ready|writing)$/i.test(audit) ? "good" : audit === "unknown" ? "none" : "bad"} label="audit log">
          {audit}
        </Item>
      )}
      {findings !== null && (
        <Item light={findings.length === 0 ? "good" : "warn"} label="policy" href={findings.length === 0 ? "#/policy" : "#/policy/editor"}>
          {findings.length === 0 ? "no findings" : `${findings.length} ${findings.length === 1 ? "finding" : "findings"}`}
        </Item>
      )}
      {free !== null && (
        <Item light={total !== null && free / total < 0.05 ? "bad" : total !== null && free / total < 0.15 ? "warn" : "good"} label="disk">
          {formatBytes(free)} free
        </Item>
      )}
      {days !== null && (
        <Item light={days < 14 ? "bad" : days < 60 ? "warn" : "good"} label="CA" title={now?.ca?.not_after ? `valid to ${now.ca.not_after}` : undefined}>
          {days} days left
        </Item>
      )}
      {state && state.state === "building" && (
        <Item light="warn" label="index">
          {formatPercent(state.bytes_done, Math.max(1, state.bytes_total))} read
        </Item>
      )}
      {state && state.skipped > 0 && (
        <Item light="warn" label="index" title="Lines of the log that are no JSON objects">
          {formatCount(state.skipped)} broken lines skipped
        </Item>
      )}
      <span class="spring" />
      {meta.value && (
        <span class="strip-item quiet">
          {meta.value.size_mb.toFixed(2)} MB · {formatCount(meta.value.total_lines)} entries
        </span>
      )}
      {isOperator.value && (
        <button type="button" class="button ghost tiny" onClick={() => void clearLog()}>
          <Icon name="trash" /> Clear log
        </button>
      )}
      <a class="strip-item" href="#/help">
        Docs
      </a>
      <a class="strip-item" href="/openapi.json" target="_blank" rel="noreferrer">
        API
      </a>
      <span class="strip-item quiet">console {session.value?.version}</span>
    </footer>
  );
}
