// What the traffic page shows, as the address bar says it and as the API is asked.

export interface Filters {
  q: string;
  client: string;
  agent: string;
  host: string;
  event: string; // comma list; empty: the API's default
  status: string;
  after: string; // "15m", "24h" or an ISO time; empty: from the beginning
  before: string; // ISO time; empty: up to now
  wouldBlock: boolean;
  internetOnly: boolean;
}

export const noFilters: Filters = {
  q: "",
  client: "",
  agent: "",
  host: "",
  event: "",
  status: "",
  after: "24h",
  before: "",
  wouldBlock: false,
  internetOnly: false,
};

export const ranges: { value: string; label: string }[] = [
  { value: "15m", label: "15 minutes" },
  { value: "1h", label: "1 hour" },
  { value: "6h", label: "6 hours" },
  { value: "24h", label: "24 hours" },
  { value: "7d", label: "7 days" },
  { value: "30d", label: "30 days" },
  { value: "", label: "All time" },
];

export const verdicts: { value: string; label: string }[] = [
  { value: "", label: "All" },
  { value: "allowed", label: "Allowed" },
  { value: "blocked", label: "Blocked" },
  { value: "error", label: "Errors" },
];

const texts = ["q", "client", "agent", "host", "event", "status", "after", "before"] as const;

// The part of the hash behind "?"; only what differs from the defaults, so that addresses stay short.
export function filtersToSearch(filters: Filters): string {
  const parameters = new URLSearchParams();
  for (const name of texts) {
    if (filters[name] !== noFilters[name]) parameters.set(name, filters[name]);
  }
  if (filters.wouldBlock) parameters.set("would_block", "1");
  if (filters.internetOnly) parameters.set("internet_only", "1");
  return parameters.toString();
}

export function filtersFromSearch(search: string): Filters {
  const parameters = new URLSearchParams(search);
  const filters: Filters = { ...noFilters };
  for (const name of texts) {
    const value = parameters.get(name);
    if (value !== null) filters[name] = value.slice(0, 1000);
  }
  filters.wouldBlock = parameters.get("would_block") === "1";
  filters.internetOnly = parameters.get("internet_only") === "1";
  return filters;
}

// What /api/events, /api/stats, /api/stream and /api/export are asked.
export function filtersToQuery(filters: Filters, hiddenHosts: readonly string[]): Record<string, string> {
  const query: Record<string, string> = {};
  for (const name of texts) {
    const value = filters[name].trim();
    if (value) query[name] = value;
  }
  if (filters.wouldBlock) query["would_block"] = "1";
  if (filters.internetOnly) query["internet_only"] = "1";
  if (hiddenHosts.length > 0) query["exclude_hosts"] = hiddenHosts.join(",");
  return query;
}

export function isLive(filters: Filters): boolean {
  return filters.before === "";
}

// How many filters are set besides the time, for the "clear" button.
export function countFilters(filters: Filters): number {
  let count = 0;
  for (const name of texts) {
    if (name !== "after" && name !== "before" && filters[name].trim() !== "") count += 1;
  }
  return count + (filters.wouldBlock ? 1 : 0) + (filters.internetOnly ? 1 : 0);
}

// "15m" -> seconds; null for an ISO time or nonsense.
export function relativeSeconds(text: string): number | null {
  const found = /^(\d{1,6})\s*(s|m|h|d|w)( ago)?$/.exec(text.trim());
  if (!found) return null;
  const unit = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[found[2] as "s" | "m" | "h" | "d" | "w"];
  return Number(found[1]) * unit;
}

// A status filter as the API takes it: 404, 4xx, 400-499, or several with commas.
export function isStatusFilter(text: string): boolean {
  return text.trim() === "" || /^\s*([1-5]\d\d|[1-5]xx|[1-5]\d\d-[1-5]\d\d)(\s*,\s*([1-5]\d\d|[1-5]xx|[1-5]\d\d-[1-5]\d\d))*\s*$/i.test(text);
}

// A host as it is hidden: lower case, without blanks, one trailing dot, a scheme or a path.
export function normalHost(text: string): string {
  let host = text.trim().toLowerCase();
  host = host.replace(/^[a-z][a-z0-9+.-]*:\/\//, "").replace(/[/?#].*$/, "");
  if (/^\[.*\](:\d+)?$/.test(host)) host = host.replace(/^\[(.*)\](:\d+)?$/, "$1");
  else if (/^[^:]*:\d+$/.test(host)) host = host.replace(/:\d+$/, "");
  return host.replace(/\.$/, "").replace(/,/g, "");
}

// What a datetime-local field holds, as an ISO time; empty where it holds none.
export function toIsoOrEmpty(local: string): string {
  if (local === "") return "";
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}
