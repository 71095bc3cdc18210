// The request that is open: all its lines.
import { effect, signal } from "@preact/signals";
import { api } from "../api/client";
import type { EventDetail, Row } from "../api/types";
import { isLineOf } from "../logic/exchange";
import { selected } from "./traffic";

export const detail = signal<EventDetail | null>(null);
export const detailError = signal("");

async function findLine(row: Row, id: string, signal: AbortSignal): Promise<EventDetail> {
  const at = new Date(row.ts).getTime();
  const near = (ms: number) => new Date(at + ms).toISOString();
  const found = await api.lines({ after: near(-2), before: near(3), event: row.event, host: row.host }, signal);
  return { id, lines: found.filter((line) => isLineOf(row, line)).slice(0, 1), summary: row };
}

export function watchDetail(): void {
  effect(() => {
    const row = selected.value;
    if (row === null) {
      detail.value = null;
      detailError.value = "";
      return undefined;
    }
    const id = row.id || `line ${row.seq}`;
    if (detail.peek()?.id !== id) detail.value = null;
    detailError.value = "";
    if (!row.id && !row.host) return undefined; // all there is of it is in the row
    const control = new AbortController();
    (row.id ? api.event(row.id, control.signal) : findLine(row, id, control.signal))
      .then((answer) => {
        if (!control.signal.aborted) detail.value = answer;
      })
      .catch((error: unknown) => {
        if (!control.signal.aborted) detailError.value = error instanceof Error ? error.message : String(error);
      });
    return () => control.abort();
  });
}
