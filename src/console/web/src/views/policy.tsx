// The policy: its rules, its text, and its history.
import { useEffect } from "preact/hooks";
import { Icon } from "../parts/icon";
import { loadPolicy, manageAccess, policy, policyError } from "../state/policy";
import { formatHash, route } from "../state/route";
import { isOperator } from "../state/session";
import { Editor } from "./editor";
import { HistoryView } from "./history";
import { Rules } from "./rules";

const tabs = [
  { name: "enforce", label: "Enforce list" },
  { name: "blocklist", label: "Blocklist" },
  { name: "editor", label: "YAML" },
  { name: "history", label: "History" },
] as const;

export function PolicyPage() {
  const here = tabs.find((tab) => tab.name === route.value.rest)?.name ?? "enforce";
  useEffect(() => void loadPolicy(), []);
  const counts: Partial<Record<string, number>> = { enforce: policy.value?.enforce.length, blocklist: policy.value?.blocklist.length, editor: policy.value?.findings?.length || undefined };
  return (
    <div class="page">
      <div class="page-head">
        <h1>Policy</h1>
        <nav class="tabs small" aria-label="Policy">
          {tabs.map((tab) => (
            <a key={tab.name} class="tab" href={formatHash("policy", tab.name)} aria-current={tab.name === here ? "page" : undefined}>
              {tab.label}
              {counts[tab.name] !== undefined && <span class={`count ${tab.name === "editor" ? "warn" : ""}`}>{counts[tab.name]}</span>}
            </a>
          ))}
        </nav>
        <span class="spring" />
        {isOperator.value && (
          <button type="button" class="button primary" onClick={() => manageAccess({ host: "", port: 443, method: "", path: "/" }, false)}>
            <Icon name="plus" /> Add rule
          </button>
        )}
      </div>
      {policyError.value !== "" && (
        <p class="form-error" role="alert">
          {policyError.value}
        </p>
      )}
      {here === "enforce" && <Rules key="enforce" list="enforce" />}
      {here === "blocklist" && <Rules key="blocklist" list="blocklist" />}
      {here === "editor" && <Editor />}
      {here === "history" && <HistoryView />}
    </div>
  );
}
