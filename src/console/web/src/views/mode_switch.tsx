// The mode in force; an operator changes it here. What opens something is asked about first.
import type { Mode } from "../api/types";
import { Segmented } from "../parts/segmented";
import { ask } from "../state/notices";
import { isOperator } from "../state/session";
import { mode, switchMode } from "../state/status";

const options: { value: Mode; label: string; kind: string }[] = [
  { value: "enforce", label: "Enforce", kind: "mode-enforce" },
  { value: "audit", label: "Audit", kind: "mode-audit" },
  { value: "blocklist", label: "Blocklist", kind: "mode-blocklist" },
];

const warnings: Record<Mode, string> = {
  enforce: "",
  audit: "In audit mode every request passes, and is only put on record. The blocklist is not looked at.",
  blocklist: "In blocklist mode every request passes that the blocklist does not name.",
};

async function choose(wanted: Mode): Promise<void> {
  if (warnings[wanted] !== "") {
    const yes = await ask(`Switch to ${wanted} mode?`, warnings[wanted], `Switch to ${wanted}`, "danger");
    if (!yes) return;
  }
  await switchMode(wanted);
}

export function ModeSwitch() {
  if (!isOperator.value) {
    return (
      <span class={`mode-label mode-${mode.value ?? "none"}`}>
        <span class="offscreen">Mode: </span>
        {mode.value ?? "…"}
      </span>
    );
  }
  return <Segmented label="Mode" class="modes" value={mode.value} options={options} onChange={(wanted) => void choose(wanted)} />;
}
