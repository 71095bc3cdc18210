// The mode in force and how leash is, asked for again and again.
import { computed, effect, signal } from "@preact/signals";
import { api } from "../api/client";
import type { Health, Meta, Mode } from "../api/types";
import { complain, notify } from "./notices";
import { isSignedIn } from "./session";

export const mode = signal<Mode | null>(null);
export const health = signal<Health | null>(null);
export const meta = signal<Meta | null>(null);
export const failures = signal(0);
export const isDisconnected = computed(() => failures.value >= 3);

const pollMs = 5000;

export async function refreshStatus(): Promise<void> {
  try {
    const asked = mode.peek();
    const answer = await api.health();
    health.value = answer;
    // What was set meanwhile, here or by the stream, is newer.
    if (mode.peek() === asked) mode.value = answer.mode;
    failures.value = 0;
    meta.value = await api.meta();
  } catch {
    if (isSignedIn.value) failures.value += 1;
  }
}

export async function switchMode(wanted: Mode): Promise<void> {
  try {
    mode.value = (await api.setMode(wanted)).mode;
    notify(`Mode is now ${mode.value}`);
    await refreshStatus();
  } catch (error) {
    complain(error);
  }
}

export function watchStatus(): void {
  effect(() => {
    if (!isSignedIn.value) return undefined;
    void refreshStatus();
    const timer = setInterval(() => {
      if (!document.hidden) void refreshStatus();
    }, pollMs);
    return () => clearInterval(timer);
  });
  effect(() => {
    const titles: Record<Mode, string> = { enforce: "leash · console", audit: "leash · AUDIT MODE", blocklist: "leash · BLOCKLIST MODE" };
    document.title = mode.value === null ? "leash" : titles[mode.value];
  });
}
