// Who is signed in.
import { computed, signal } from "@preact/signals";
import { api, onSessionOver, setCsrf } from "../api/client";
import type { Session } from "../api/types";

export const session = signal<Session | null>(null); // null: not known yet
export const sessionError = signal("");
export const isOperator = computed(() => session.value?.role === "operator");
export const isSignedIn = computed(() => session.value !== null && session.value.role !== null);

function take(answer: Session): void {
  setCsrf(answer.csrf);
  session.value = answer;
}

export async function loadSession(): Promise<void> {
  try {
    take(await api.session());
    sessionError.value = "";
  } catch (error) {
    sessionError.value = error instanceof Error ? error.message : String(error);
  }
}

export async function signIn(token: string): Promise<void> {
  take(await api.signIn(token));
}

export async function signOut(): Promise<void> {
  await api.signOut();
  await loadSession();
}

onSessionOver(() => {
  if (session.value !== null) session.value = { ...session.value, role: null, csrf: null };
});
