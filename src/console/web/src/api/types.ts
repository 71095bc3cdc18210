// The shapes that the API speaks, as docs/CONSOLE.md and /openapi.json describe them.

export type Mode = "enforce" | "audit" | "blocklist";
export type ListName = "enforce" | "blocklist";
export type Role = "operator" | "viewer";

export interface Session {
  role: Role | null;
  auth: "token" | "off";
  csrf: string | null;
  version: string;
}

// One line of the audit log as the list shows it: no headers, no bodies.
export interface Row {
  seq: number;
  id?: string | null;
  ts: string;
  event: string;
  client?: string | null;
  agent?: string | null;
  method?: string | null;
  url?: string | null;
  host?: string | null;
  port?: number | null;
  status?: number | null;
  bytes?: number | null;
  bytes_up?: number | null;
  bytes_down?: number | null;
  ms?: number | null;
  reason?: string | null;
  rule?: string | null;
  mode?: string | null;
  would_block?: boolean;
  tags?: string[];
  from?: string | null;
  to?: string | null;
  error?: string | null;
  count?: number;
}

export interface IndexState {
  lines: number;
  bytes_done: number;
  bytes_total: number;
  state: "ready" | "building" | string;
  skipped: number;
  error?: string | null; // why the log cannot be read on
}

export interface EventsPage {
  events: Row[];
  next: string | null;
  newest: number;
  index: IndexState;
}

export interface Stats {
  from: string;
  to: string;
  bucket_seconds: number;
  series: {
    t: number[];
    allowed: number[];
    would_block: number[];
    blocked: number[];
    error: number[];
  };
  totals: {
    allowed: number;
    would_block: number;
    blocked: number;
    error: number;
    bytes_up: number;
    bytes_down: number;
  };
  hosts: HostCount[];
  agents: AgentCount[];
}

export interface HostCount {
  host: string;
  count: number;
  blocked: number;
  bytes: number;
}

export interface AgentCount {
  agent: string | null;
  client: string | null;
  count: number;
  blocked: number;
  bytes: number;
}

export type RawLine = Record<string, unknown>;

export interface EventDetail {
  id: string;
  lines: RawLine[];
  summary: Row | null;
}

export interface PathRule {
  method?: string;
  prefix: string;
}

export interface Entry {
  host: string;
  ports: number[];
  paths?: PathRule[];
  reason?: string;
  expires?: string;
  tls?: string;
  networks?: string[];
  faulty?: boolean; // an allow entry with a mistake allows nothing, a block entry blocks its whole host
  line?: number;
}

export interface Finding {
  file: string;
  line: number;
  message: string;
  severity?: string;
}

export interface PolicyFile {
  text: string;
  etag: string;
}

export interface Policy {
  mode: Mode;
  enforce: Entry[];
  blocklist: Entry[];
  files?: Record<string, PolicyFile>;
  findings?: Finding[];
}

export interface Change {
  list: ListName;
  action: "add" | "remove";
  scope: "host" | "path";
  host: string;
  port: number;
  method?: string;
  prefix?: string;
  reason?: string;
  expires?: string;
}

export interface Preview {
  requests: number;
  now_refused: number;
  now_allowed: number;
  refused_samples: Row[];
  allowed_samples: Row[];
  findings: Finding[];
  complete_from?: string; // where looking back ended, when there was too much of it
}

export interface PolicyChange {
  ts: string;
  seq: number;
  who: string | null;
  file: string;
  diff: string;
  can_undo: boolean;
}

export interface SuggestedRule {
  host: string;
  ports: number[];
  methods?: string[];
  paths?: (string | PathRule)[];
  count: number;
  evidence?: unknown;
  change: Change;
}

export interface SuggestGroup {
  domain: string;
  requests: number;
  agents: number;
  rules: SuggestedRule[];
}

export interface Suggestions {
  groups: SuggestGroup[];
  covered: { requests: number; passed: number };
  left_out?: string[];
}

export interface Health {
  mode: Mode;
  enforce_entries: number;
  blocklist_entries: number;
  agents_entries: number;
  warnings: string[];
  findings?: Finding[];
  leash?: { up: boolean; ready?: boolean; version?: string | null; reasons?: string };
  audit?: { state?: string | null };
  disk?: { free_bytes?: number | null; total_bytes?: number | null };
  ca?: { not_after?: string | null; days_left?: number | null };
  console?: { version?: string; auth?: string; index?: IndexState };
}

export interface Meta {
  size_mb: number;
  total_lines: number;
  body_limit_kb: number;
}
