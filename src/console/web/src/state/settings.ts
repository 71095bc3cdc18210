// What this browser remembers; the keys are those of the original's page.
import { effect, signal } from "@preact/signals";
import { normalHost } from "../logic/filters";

export type Theme = "system" | "light" | "dark";

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is off
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // storage is off or full: it holds until the page is closed
  }
}

function readHosts(): string[] {
  try {
    const list: unknown = JSON.parse(read("leash-excluded-hosts") ?? "[]");
    return Array.isArray(list) ? list.filter((one): one is string => typeof one === "string").slice(0, 200) : [];
  } catch {
    return [];
  }
}

const storedTheme = read("leash-theme");
export const theme = signal<Theme>(storedTheme === "light" || storedTheme === "dark" ? storedTheme : "system");
export const redact = signal(read("leash-redact") !== "0");
export const hiddenHosts = signal<string[]>(readHosts());
export const showChart = signal(read("leash-chart") !== "0");

const darkQuery = typeof matchMedia === "undefined" ? null : matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(darkQuery?.matches ?? true);
darkQuery?.addEventListener("change", (event) => (systemIsDark.value = event.matches));

export function isDark(): boolean {
  return theme.value === "dark" || (theme.value === "system" && systemIsDark.value);
}

export function toggleTheme(): void {
  const wanted = isDark() ? "light" : "dark";
  theme.value = wanted === (systemIsDark.value ? "dark" : "light") ? "system" : wanted;
}

export function hideHost(text: string): void {
  const host = normalHost(text);
  if (host !== "" && !hiddenHosts.value.includes(host)) hiddenHosts.value = [...hiddenHosts.value, host];
}

export function showHost(host: string): void {
  hiddenHosts.value = hiddenHosts.value.filter((one) => one !== host);
}

export function keepSettings(): void {
  effect(() => {
    document.documentElement.dataset["theme"] = isDark() ? "dark" : "light";
    write("leash-theme", theme.value === "system" ? null : theme.value);
  });
  effect(() => write("leash-redact", redact.value ? null : "0"));
  effect(() => write("leash-excluded-hosts", JSON.stringify(hiddenHosts.value)));
  effect(() => write("leash-chart", showChart.value ? null : "0"));
}
