// The policy as the console sees it, and the dialog that changes it.
import { signal } from "@preact/signals";
import { api } from "../api/client";
import type { Change, Policy } from "../api/types";
import type { Target } from "../logic/match";
import { notify } from "./notices";
import { refreshStatus } from "./status";

export const policy = signal<Policy | null>(null);
export const policyError = signal("");

export async function loadPolicy(): Promise<void> {
  try {
    policy.value = await api.policy();
    policyError.value = "";
  } catch (error) {
    policyError.value = error instanceof Error ? error.message : String(error);
  }
}

// Applies them one after the other; what failed stops it and is thrown.
export async function applyChanges(changes: readonly Change[], said: string): Promise<void> {
  try {
    for (const change of changes) await api.apply(change);
    notify(said);
  } finally {
    await loadPolicy();
    void refreshStatus();
  }
}

export interface AccessRequest {
  target: Target;
  isFixed: boolean; // the target comes from a request; else it is typed
}

export const accessRequest = signal<AccessRequest | null>(null);

export function manageAccess(target: Target, isFixed = true): void {
  accessRequest.value = { target, isFixed };
}
