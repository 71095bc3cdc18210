// The draft of the hardening page: which suggestions are taken, and what they would let pass.
import type { SuggestedRule, Suggestions } from "../api/types";

export function ruleKey(rule: SuggestedRule): string {
  return JSON.stringify(rule.change);
}

export interface Coverage {
  requests: number;
  now: number; // pass with the policy as it is
  draft: number; // would pass besides, with what is taken
}

export function coverage(suggestions: Suggestions, taken: ReadonlySet<string>): Coverage {
  const { requests, passed } = suggestions.covered;
  let draft = 0;
  for (const group of suggestions.groups) {
    for (const rule of group.rules) {
      if (taken.has(ruleKey(rule))) draft += rule.count;
    }
  }
  return { requests, now: passed, draft: Math.min(draft, Math.max(0, requests - passed)) };
}

export function pathsOf(rule: SuggestedRule): string[] {
  return (rule.paths ?? []).map((path) => (typeof path === "string" ? path : `${path.method ? `${path.method} ` : ""}${path.prefix}`));
}

export function evidenceOf(rule: SuggestedRule): string {
  const { evidence } = rule;
  if (typeof evidence === "string") return evidence.trim().replace(/\s*\n\s*/g, " · ");
  if (Array.isArray(evidence)) return evidence.filter((one) => typeof one === "string").join(" · ");
  return "";
}
