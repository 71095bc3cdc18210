// Where the user is: "#/page/rest?search".
import { signal } from "@preact/signals";

export const pages = ["traffic", "policy", "hardening", "help"] as const;
export type PageName = (typeof pages)[number];

export interface Route {
  page: PageName;
  rest: string;
  search: string;
}

export function parseHash(hash: string): Route {
  const found = /^#?\/?([a-z]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(hash);
  const page = pages.find((name) => name === found?.[1]) ?? "traffic";
  return { page, rest: found?.[2] ?? "", search: found?.[3] ?? "" };
}

export function formatHash(page: PageName, rest = "", search = ""): string {
  return `#/${page}${rest ? `/${rest}` : ""}${search ? `?${search}` : ""}`;
}

export const route = signal<Route>(parseHash(typeof location === "undefined" ? "" : location.hash));

export function followAddress(): void {
  addEventListener("hashchange", () => (route.value = parseHash(location.hash)));
}

// Goes there; "replace" leaves no step for the Back button.
export function navigate(page: PageName, rest = "", search = "", step: "push" | "replace" = "push"): void {
  const hash = formatHash(page, rest, search);
  if (hash === location.hash) return;
  if (step === "push") history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
  route.value = parseHash(hash);
}
