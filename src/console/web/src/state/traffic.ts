// The traffic page: its filters, the rows that are loaded, the live stream, the numbers above them.
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import { api } from "../api/client";
import type { IndexState, Row, Stats } from "../api/types";
import { filtersFromSearch, filtersToQuery, filtersToSearch, isLive, noFilters, type Filters } from "../logic/filters";
import {
  appendPage, emptyPages, firstPage, giveBack, heldRows, locate, missingPages, newestSeq, prepend, refill, rowCount, sortRows,
  type RowPages, type SortKey,
} from "../logic/row_pages";
import { complain } from "./notices";
import { navigate, route } from "./route";
import { isSignedIn, loadSession } from "./session";
import { hiddenHosts } from "./settings";
import { mode } from "./status";
import { openStream } from "./stream";

const pageSize = 500;
const maxPending = 5000;
const maxHead = 5000;
const statsMs = 5000;
export const buckets = 120;

export const filters = signal<Filters>(noFilters);
export const list = signal<RowPages>(emptyPages);
export const isLoading = signal(true);
export const loadError = signal("");
export const index = signal<IndexState | null>(null);
export const stats = signal<Stats | null>(null);
export const facets = signal<Stats["totals"] | null>(null); // as stats, without the filter by verdict
export const pending = signal<Row[]>([]);
export const isPaused = signal(false);
export const isAtTop = signal(true);
export const isStreaming = signal(false);
export const selected = signal<Row | null>(null);
export const sort = signal<SortKey>("newest");
export const topRequests = signal(0); // counts up: the list goes to its top

// New rows wait while somebody reads: scrolled down, a request open, another order, or the pause button.
export const isHeld = computed(() => isPaused.value || !isAtTop.value || selected.value !== null || sort.value !== "newest");

const sorted = computed(() => (sort.value === "newest" ? null : sortRows(heldRows(list.value), sort.value)));
export const count = computed(() => sorted.value?.length ?? rowCount(list.value));
export const sortedRows = sorted;
export const hasMore = computed(() => list.value.next !== null);

const query = computed(() => filtersToQuery(filters.value, hiddenHosts.value));
let loading: AbortController | null = null;
let isLoadingMore = false;

export function setFilters(patch: Partial<Filters>, step: "push" | "replace" = "push"): void {
  const next = { ...filters.value, ...patch };
  filters.value = next;
  navigate("traffic", "", filtersToSearch(next), step);
}

export function clearFilters(): void {
  setFilters({ ...noFilters, after: filters.value.after, before: filters.value.before });
}

export async function load(): Promise<void> {
  loading?.abort();
  const control = new AbortController();
  loading = control;
  const asked = query.value;
  isLoading.value = true;
  try {
    const answer = await api.events({ ...asked, limit: pageSize }, control.signal);
    if (control.signal.aborted) return;
    batch(() => {
      list.value = firstPage(answer.events, answer.next);
      index.value = answer.index;
      pending.value = [];
      loadError.value = "";
      isLoading.value = false;
      topRequests.value += 1;
    });
    follow(asked, answer.newest);
  } catch (error) {
    if (control.signal.aborted) return;
    batch(() => {
      loadError.value = error instanceof Error ? error.message : String(error);
      isLoading.value = false;
    });
  }
}

export async function loadMore(): Promise<void> {
  const cursor = list.value.next;
  if (cursor === null || isLoadingMore) return;
  isLoadingMore = true;
  const asked = query.value;
  try {
    const answer = await api.events({ ...asked, limit: pageSize, cursor });
    if (asked === query.value) list.value = appendPage(list.value, cursor, answer.events, answer.next);
  } catch (error) {
    complain(error);
  } finally {
    isLoadingMore = false;
  }
}

const refetching = new Set<string | null>();

// Called with the rows that are on the screen: fetches what is not there, gives back what is far away.
export function show(first: number, last: number): void {
  if (sort.value !== "newest") return;
  const now = list.value;
  for (const page of missingPages(now, first, last)) void refetch(page.cursor);
  if (last >= rowCount(now) - pageSize / 2) void loadMore();
  list.value = giveBack(now, locate(now, first)?.page ?? 0);
}

async function refetch(cursor: string | null): Promise<void> {
  if (refetching.has(cursor)) return;
  refetching.add(cursor);
  const asked = query.value;
  try {
    const answer = await api.events({ ...asked, limit: pageSize, cursor });
    if (asked === query.value) list.value = refill(list.value, cursor, answer.events);
  } catch (error) {
    complain(error);
  } finally {
    refetching.delete(cursor);
  }
}

// Puts the rows that waited on top, and goes there.
export function showPending(): void {
  if (pending.value.length >= maxPending) {
    void load();
    return;
  }
  batch(() => {
    list.value = prepend(list.value, pending.value);
    pending.value = [];
    topRequests.value += 1;
  });
}

function take(rows: Row[]): void {
  if (isHeld.value) {
    const newest = newestSeq(list.value);
    pending.value = [...rows.filter((row) => row.seq > newest).reverse(), ...pending.value].slice(0, maxPending);
    return;
  }
  const next = prepend(list.value, rows);
  if (next.head.length > maxHead) void load(); // the head becomes a page, and gets a cursor
  else list.value = next;
}

let closeStream: (() => void) | null = null;

function follow(asked: Record<string, string>, newest: number): void {
  closeStream?.();
  closeStream = null;
  isStreaming.value = false;
  if (!isLive(filters.value) || !isSignedIn.value) return;
  let failed = 0;
  closeStream = openStream(asked, newest, {
    rows: take,
    gap: () => void load(),
    state: (state) => {
      if (state.mode) mode.value = state.mode;
    },
    connection: (isUp) => {
      isStreaming.value = isUp;
      failed = isUp ? 0 : failed + 1;
      if (failed === 2) void loadSession(); // perhaps the session is over
    },
  });
}

let loadingStats: AbortController | null = null;

export async function loadStats(): Promise<void> {
  loadingStats?.abort();
  const control = new AbortController();
  loadingStats = control;
  const { event, would_block: wouldBlock, ...others } = query.value;
  try {
    const isFaceted = event !== undefined || wouldBlock !== undefined;
    const [all, facet] = await Promise.all([
      api.stats({ ...query.value, buckets }, control.signal),
      isFaceted ? api.stats({ ...others, buckets: 1 }, control.signal) : null,
    ]);
    if (control.signal.aborted) return;
    batch(() => {
      stats.value = all;
      facets.value = (facet ?? all).totals;
    });
  } catch {
    // The list says what is wrong with the filters; the numbers stay as they were.
  }
}

export function watchTraffic(): void {
  // The address bar leads.
  effect(() => {
    const { page, search } = route.value;
    if (page !== "traffic") return;
    const wanted = filtersFromSearch(search);
    if (filtersToSearch(wanted) !== filtersToSearch(untracked(() => filters.value))) filters.value = wanted;
  });
  effect(() => {
    if (!isSignedIn.value) {
      closeStream?.();
      closeStream = null;
      return;
    }
    void query.value;
    untracked(() => {
      selected.value = null;
      sort.value = "newest";
      void load();
      void loadStats();
    });
  });
  setInterval(() => {
    const isSeen = isSignedIn.value && route.value.page === "traffic" && !document.hidden;
    if (isSeen && isLive(filters.value)) void loadStats();
  }, statsMs);
  // While the index is being built, what is there grows.
  setInterval(() => {
    if (isSignedIn.value && index.value?.state === "building" && !document.hidden && !isHeld.value) void load();
  }, 2000);
}
