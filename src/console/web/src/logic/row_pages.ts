// The rows of the list: a live head that grows at its top, and pages below it, of which the far ones are given back
// and fetched again by their cursor. A log only grows at its end, so a page's cursor always names the same rows.
import type { Row } from "../api/types";

export interface Page {
  cursor: string | null; // asks for this page; null: the first one
  count: number;
  rows: Row[] | null; // null: given back
}

export interface RowPages {
  head: Row[]; // newest first, newer than all pages
  pages: Page[];
  next: string | null; // cursor of what comes below; null: that is all
}

export const emptyPages: RowPages = { head: [], pages: [], next: null };
export const pagesKept = 40;

export function rowCount(list: RowPages): number {
  return list.pages.reduce((sum, page) => sum + page.count, list.head.length);
}

export function firstPage(rows: Row[], next: string | null): RowPages {
  return { head: [], pages: [{ cursor: null, count: rows.length, rows }], next };
}

export function appendPage(list: RowPages, cursor: string, rows: Row[], next: string | null): RowPages {
  if (list.next !== cursor) return list; // an answer to an older question
  return { ...list, pages: [...list.pages, { cursor, count: rows.length, rows }], next };
}

// Puts the rows above the list; those that it already has, by seq, are left out.
export function prepend(list: RowPages, rows: Row[]): RowPages {
  const newest = newestSeq(list);
  const fresh = rows.filter((row) => row.seq > newest).sort((a, b) => b.seq - a.seq);
  const unique = fresh.filter((row, at) => at === 0 || fresh[at - 1]!.seq !== row.seq);
  return unique.length === 0 ? list : { ...list, head: [...unique, ...list.head] };
}

export function newestSeq(list: RowPages): number {
  const first = list.head[0] ?? list.pages[0]?.rows?.[0];
  return first?.seq ?? 0;
}

export interface Position {
  page: number; // -1: the head
  row: number;
}

export function locate(list: RowPages, index: number): Position | null {
  if (index < 0) return null;
  if (index < list.head.length) return { page: -1, row: index };
  let rest = index - list.head.length;
  for (let at = 0; at < list.pages.length; at += 1) {
    const page = list.pages[at]!;
    if (rest < page.count) return { page: at, row: rest };
    rest -= page.count;
  }
  return null;
}

// undefined: no such row; null: its page was given back.
export function rowAt(list: RowPages, index: number): Row | null | undefined {
  const position = locate(list, index);
  if (position === null) return undefined;
  if (position.page < 0) return list.head[position.row];
  const page = list.pages[position.page]!;
  return page.rows === null ? null : page.rows[position.row];
}

// Pages that have to be fetched again to show the rows first to last (last not included).
export function missingPages(list: RowPages, first: number, last: number): Page[] {
  const missing: Page[] = [];
  let begin = list.head.length;
  for (const page of list.pages) {
    if (page.rows === null && begin < last && begin + page.count > first) missing.push(page);
    begin += page.count;
  }
  return missing;
}

// Puts a page's rows back. A page that came back with another length (the log was cut) takes that.
export function refill(list: RowPages, cursor: string | null, rows: Row[]): RowPages {
  return {
    ...list,
    pages: list.pages.map((page) => (page.cursor === cursor ? { ...page, rows, count: rows.length } : page)),
  };
}

// Gives back the pages that are farthest from the one seen. The first page stays: newestSeq needs it.
export function giveBack(list: RowPages, seenPage: number, kept = pagesKept): RowPages {
  const held = list.pages.map((page, at) => ({ page, at })).filter(({ page, at }) => page.rows !== null && at > 0);
  if (held.length <= kept) return list;
  held.sort((a, b) => Math.abs(b.at - seenPage) - Math.abs(a.at - seenPage));
  const drop = new Set(held.slice(0, held.length - kept).map(({ at }) => at));
  return { ...list, pages: list.pages.map((page, at) => (drop.has(at) ? { ...page, rows: null } : page)) };
}

export function heldRows(list: RowPages): Row[] {
  return list.pages.reduce<Row[]>((rows, page) => (page.rows ? rows.concat(page.rows) : rows), list.head.slice());
}

export type SortKey = "newest" | "oldest" | "status" | "status_down";

// The rows in another order: those that are held, since the API gives the newest first.
export function sortRows(rows: Row[], key: SortKey): Row[] {
  const sorted = rows.slice();
  const status = (row: Row) => row.status ?? (row.event === "blocked" ? 1000 : row.event === "error" ? 1001 : 1002);
  if (key === "oldest") sorted.sort((a, b) => a.seq - b.seq);
  else if (key === "status") sorted.sort((a, b) => status(a) - status(b) || b.seq - a.seq);
  else if (key === "status_down") sorted.sort((a, b) => status(b) - status(a) || b.seq - a.seq);
  else sorted.sort((a, b) => b.seq - a.seq);
  return sorted;
}

// Where the row with this seq stands; -1 where it is not held.
export function indexOfSeq(list: RowPages, seq: number): number {
  let begin = 0;
  for (const rows of [list.head, ...list.pages.map((page) => page.rows ?? page.count)]) {
    if (typeof rows === "number") {
      begin += rows;
      continue;
    }
    const newest = rows[0];
    const oldest = rows[rows.length - 1];
    if (newest && oldest && seq <= newest.seq && seq >= oldest.seq) {
      const at = rows.findIndex((row) => row.seq === seq);
      if (at >= 0) return begin + at;
    }
    begin += rows.length;
  }
  return -1;
}
