// Speaks with the API: one function an endpoint, errors as ApiError.
import type {
  Change, EventDetail, EventsPage, Health, ListName, Meta, Mode, Policy, PolicyChange, Preview, RawLine, Session,
  Stats, Suggestions,
} from "./types";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(message);
    this.name = "ApiError";
  }
}

let csrf = "";
let onSignedOut: () => void = () => {};

export function setCsrf(value: string | null): void {
  csrf = value ?? "";
}

// Called when an answer says that the session is over.
export function onSessionOver(callback: () => void): void {
  onSignedOut = callback;
}

type Query = Record<string, string | number | boolean | null | undefined>;

export function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "" && value !== false) {
      parameters.set(name, value === true ? "1" : String(value));
    }
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") {
    headers["Content-Type"] = "application/json";
    headers["X-CSRF-Token"] = csrf;
  }
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
      credentials: "same-origin",
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "the console does not answer");
  }
  let answer: unknown = null;
  try {
    answer = await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(response.status, `the console answered ${response.status} with something that is not JSON`);
  }
  const fields = (typeof answer === "object" && answer !== null ? answer : {}) as Record<string, unknown>;
  if (!response.ok) {
    if (response.status === 401 && path !== "/api/session") onSignedOut();
    const said = typeof fields["error"] === "string" ? fields["error"] : `status ${response.status}`;
    throw new ApiError(response.status, said, fields);
  }
  // The original's policy endpoints answer 200 with ok: false.
  if (fields["ok"] === false) {
    throw new ApiError(response.status, typeof fields["error"] === "string" ? fields["error"] : "refused", fields);
  }
  return answer as T;
}

// The log's own lines within a time, for lines of an older log, which have no id to ask by.
async function lines(query: Query, signal: AbortSignal): Promise<RawLine[]> {
  const response = await fetch(withQuery("/api/export", { ...query, format: "ndjson" }), { credentials: "same-origin", cache: "no-store", signal });
  if (!response.ok) throw new ApiError(response.status, `the lines could not be had: status ${response.status}`);
  const found: RawLine[] = [];
  for (const line of (await response.text()).split("\n")) {
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === "object" && value !== null) found.push(value as RawLine);
    } catch {
      // no line of the log
    }
  }
  return found;
}

export const api = {
  lines,
  session: () => call<Session>("GET", "/api/session"),
  signIn: (token: string) => call<Session>("POST", "/api/session", { token }),
  signOut: () => call<unknown>("DELETE", "/api/session"),

  events: (query: Query, signal?: AbortSignal) =>
    call<EventsPage>("GET", withQuery("/api/events", query), undefined, signal),
  stats: (query: Query, signal?: AbortSignal) => call<Stats>("GET", withQuery("/api/stats", query), undefined, signal),
  event: (id: string, signal?: AbortSignal) =>
    call<EventDetail>("GET", `/api/event/${encodeURIComponent(id)}`, undefined, signal),
  meta: () => call<Meta>("GET", "/api/meta"),
  health: () => call<Health>("GET", "/api/health"),
  clearLog: () => call<unknown>("POST", "/api/logs/clear"),

  mode: () => call<{ mode: Mode }>("GET", "/api/mode"),
  setMode: (mode: Mode) => call<{ mode: Mode }>("PUT", "/api/mode", { mode }),

  policy: (signal?: AbortSignal) => call<Policy>("GET", "/api/policy", undefined, signal),
  apply: (change: Change) => {
    const { list, action, ...rest } = change;
    return call<{ policy: Policy }>("POST", `/api/policy/${list satisfies ListName}/${action}`, rest);
  },
  saveFile: (file: string, text: string, etag: string) =>
    call<{ policy: Policy }>("PUT", "/api/policy/file", { file, text, etag }),
  preview: (
    request: { changes?: Change[]; files?: Record<string, string>; mode?: Mode; hours: number },
    signal?: AbortSignal,
  ) => call<Preview>("POST", "/api/policy/preview", request, signal),
  history: (limit: number) => call<{ changes: PolicyChange[] }>("GET", withQuery("/api/policy/history", { limit })),
  undo: (seq: number) => call<{ policy?: Policy }>("POST", "/api/policy/undo", { seq }),
  suggest: (hours: number, signal?: AbortSignal) =>
    call<Suggestions>("GET", withQuery("/api/suggest", { hours }), undefined, signal),
};
