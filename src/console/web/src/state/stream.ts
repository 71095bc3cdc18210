// The live stream: keeps an EventSource open, hands rows over in batches.
import type { Mode, Row } from "../api/types";
import { withQuery } from "../api/client";

export interface StreamEvents {
  rows: (rows: Row[]) => void;
  gap: () => void;
  state: (state: { mode?: Mode; findings?: number; newest?: number }) => void;
  connection: (isUp: boolean) => void;
}

const batchMs = 120;
const retryMs = 2000;

// Opens it; the function that comes back closes it.
export function openStream(query: Record<string, string>, sinceSeq: number, on: StreamEvents): () => void {
  let source: EventSource | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let flush: ReturnType<typeof setTimeout> | undefined;
  let waiting: Row[] = [];
  let newest = sinceSeq;
  let isClosed = false;

  const parse = <T>(event: Event): T | null => {
    try {
      return JSON.parse((event as MessageEvent<string>).data) as T;
    } catch {
      return null;
    }
  };

  const connect = () => {
    source = new EventSource(withQuery("/api/stream", { ...query, since_seq: newest }));
    source.addEventListener("open", () => on.connection(true));
    source.addEventListener("row", (event) => {
      const row = parse<Row>(event);
      if (row === null) return;
      newest = Math.max(newest, row.seq);
      waiting.push(row);
      flush ??= setTimeout(() => {
        flush = undefined;
        const rows = waiting;
        waiting = [];
        on.rows(rows);
      }, batchMs);
    });
    source.addEventListener("gap", () => on.gap());
    source.addEventListener("state", (event) => {
      const state = parse<{ mode?: Mode; findings?: number; newest?: number }>(event);
      if (state !== null) on.state(state);
    });
    source.addEventListener("error", () => {
      on.connection(false);
      // A refused stream is not tried again by the browser.
      if (source?.readyState === EventSource.CLOSED && !isClosed) {
        source.close();
        retry = setTimeout(connect, retryMs);
      }
    });
  };
  connect();
  return () => {
    isClosed = true;
    source?.close();
    clearTimeout(retry);
    clearTimeout(flush);
  };
}
