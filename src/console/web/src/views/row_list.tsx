// The list itself: newest first, any length, held while somebody reads.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Row } from "../api/types";
import { targetOf } from "../logic/access";
import { formatCount, formatPercent } from "../logic/format";
import { indexOfSeq, rowAt, type SortKey } from "../logic/row_pages";
import { Icon } from "../parts/icon";
import { useMedia } from "../parts/media";
import { VirtualList, type ListHandle } from "../parts/virtual_list";
import { copyText } from "../state/clipboard";
import { manageAccess } from "../state/policy";
import { isOperator } from "../state/session";
import { hideHost } from "../state/settings";
import {
  count, hasMore, index, isAtTop, isHeld, isLoading, isPaused, isStreaming, list, load, loadError, pending, selected, setFilters, show,
  showPending, sort, sortedRows, topRequests, filters, clearFilters,
} from "../state/traffic";
import { isLive } from "../logic/filters";
import { TrafficRow, rowId } from "./row";

const headerHeight = 28;

function rowOf(at: number): Row | null | undefined {
  return sortedRows.value ? sortedRows.value[at] : rowAt(list.value, at);
}

export function RowList() {
  const isNarrow = useMedia("(max-width: 699px)");
  const rowHeight = isNarrow ? 62 : 30;
  const handle = useRef<ListHandle>(null);
  const [active, setActive] = useState<number | null>(null); // seq of the row that the keyboard is at
  const now = useNow();
  const total = count.value;

  useEffect(() => handle.current?.scrollToTop(), [topRequests.value]);
  useEffect(() => {
    isAtTop.value = true; // a new list begins there
  }, []);

  const indexOf = (seq: number | null): number => {
    if (seq === null) return -1;
    const held = sortedRows.value;
    if (held) return held.findIndex((row) => row.seq === seq);
    return indexOfSeq(list.value, seq);
  };

  const moveTo = (at: number) => {
    const row = rowOf(Math.min(Math.max(0, at), total - 1));
    if (!row) return;
    setActive(row.seq);
    handle.current?.scrollToRow(Math.min(Math.max(0, at), total - 1));
    if (selected.value !== null) selected.value = row;
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = indexOf(active);
    const row = at < 0 ? null : rowOf(at);
    const page = handle.current?.rowsPerPage() ?? 10;
    switch (event.key) {
      case "ArrowDown":
      case "j":
        moveTo(at + 1);
        break;
      case "ArrowUp":
      case "k":
        moveTo(at < 0 ? 0 : at - 1);
        break;
      case "PageDown":
        moveTo(at + page);
        break;
      case "PageUp":
        moveTo(at - page);
        break;
      case "Home":
        moveTo(0);
        break;
      case "End":
        moveTo(total - 1);
        break;
      case "g":
        showPending();
        setActive(null);
        break;
      case "Enter":
      case " ":
        if (row) selected.value = row;
        break;
      case "h":
        if (row?.host) hideHost(row.host);
        break;
      case "o":
        if (row?.host) setFilters({ host: row.host });
        break;
      case "a":
        if (row?.host && isOperator.value) manageAccess(targetOf(row));
        break;
      case "c":
        if (row) void copyText(row.url ?? row.host ?? "", "URL");
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  const activeSeq = active ?? null;
  return (
    <section class="list-pane" aria-label="Requests">
      <ListHead />
      {index.value?.state === "building" && (
        <p class="progress-line" role="status">
          <progress max={Math.max(1, index.value.bytes_total)} value={index.value.bytes_done} aria-label="Reading the log" />
          <span>
            Reading the log: {formatPercent(index.value.bytes_done, Math.max(1, index.value.bytes_total))}, {formatCount(index.value.lines)} lines
          </span>
        </p>
      )}
      {index.value?.error && (
        <p class="progress-line" role="alert">
          The index of the log is stuck: {index.value.error}
        </p>
      )}
      {pending.value.length > 0 && isHeld.value && (
        <button type="button" class="new-rows" onClick={() => { selected.value = null; sort.value = "newest"; isPaused.value = false; showPending(); }}>
          <Icon name="up" /> {formatCount(pending.value.length)} new
        </button>
      )}
      <VirtualList
        id="rows"
        class="rows"
        role="grid"
        aria-label="Requests, newest first"
        aria-rowcount={hasMore.value ? -1 : total + 1}
        aria-activedescendant={activeSeq !== null && indexOf(activeSeq) >= 0 ? rowId(activeSeq) : undefined}
        aria-busy={isLoading.value}
        tabIndex={0}
        count={total}
        rowHeight={rowHeight}
        headerHeight={headerHeight}
        trackRole="rowgroup"
        header={<ColumnHeads />}
        handle={handle}
        onTop={(top) => (isAtTop.value = top)}
        onRange={show}
        onKeyDown={onKeyDown}
        onFocus={() => {
          if (active === null && total > 0) setActive(selected.value?.seq ?? rowOf(0)?.seq ?? null);
        }}
        row={(at) => {
          const row = rowOf(at);
          return (
            <TrafficRow
              key={row ? row.seq : `at-${at}`}
              row={row ?? null}
              index={at}
              now={now}
              isActive={row?.seq === activeSeq}
              isSelected={row !== null && row !== undefined && row.seq === selected.value?.seq}
              onOpen={(opened) => {
                setActive(opened.seq);
                selected.value = selected.value?.seq === opened.seq ? null : opened;
              }}
            />
          );
        }}
      />
      {total === 0 && <EmptyState />}
    </section>
  );
}

function EmptyState() {
  if (loadError.value !== "") {
    return (
      <div class="empty" role="alert">
        <p>{loadError.value}</p>
        <button type="button" class="button" onClick={() => void load()}>
          Try again
        </button>
      </div>
    );
  }
  if (isLoading.value) return <div class="empty quiet">Loading…</div>;
  return (
    <div class="empty">
      <p>Nothing here{isLive(filters.value) ? " yet" : ""}.</p>
      <p class="quiet">No line of the log fits the filters and the time range.</p>
      <p>
        <button type="button" class="button" onClick={clearFilters}>
          Clear filters
        </button>{" "}
        <button type="button" class="button" onClick={() => setFilters({ after: "", before: "" })}>
          All time
        </button>
      </p>
    </div>
  );
}

function ListHead() {
  const live = isLive(filters.value);
  const state = !live ? "a range in the past" : isPaused.value ? "paused" : isHeld.value ? "held while you read" : isStreaming.value ? "live" : "connecting";
  return (
    <div class="list-head">
      <span role="status">
        <b>
          {count.value.toLocaleString("en-US")}
          {hasMore.value ? "+" : ""}
        </b>{" "}
        entries
      </span>
      <span class={`live-state ${state === "live" ? "is-live" : ""}`}>
        <span class="light" aria-hidden="true" />
        {state}
      </span>
      {sort.value !== "newest" && <span class="quiet">sorted among the {count.value.toLocaleString("en-US")} rows that are loaded</span>}
      <span class="spring" />
      {live && (
        <button
          type="button"
          class="button ghost tiny"
          aria-pressed={isPaused.value}
          onClick={() => {
            isPaused.value = !isPaused.value;
            if (!isPaused.value && isAtTop.value && selected.value === null) showPending();
          }}
        >
          <Icon name={isPaused.value ? "play" : "pause"} /> {isPaused.value ? "Go on" : "Pause"}
        </button>
      )}
    </div>
  );
}

function ColumnHeads() {
  const heads: { key: string; label: string; sorts?: [SortKey, SortKey] }[] = [
    { key: "time", label: "Time", sorts: ["newest", "oldest"] },
    { key: "client", label: "Client" },
    { key: "subject", label: "URL / host" },
    { key: "status", label: "Status", sorts: ["status", "status_down"] },
    { key: "event", label: "Event" },
  ];
  return (
    <div role="rowgroup" class="heads-group">
      <div role="row" class="row heads">
        {heads.map(({ key, label, sorts }) => {
          const at = sorts?.indexOf(sort.value) ?? -1;
          const isDown = sort.value === "newest" || sort.value === "status_down";
          return (
            <div key={key} role="columnheader" class={`cell ${key}`} aria-sort={at < 0 ? undefined : isDown ? "descending" : "ascending"}>
              {sorts ? (
                <button
                  type="button"
                  class="sort"
                  onClick={() => {
                    sort.value = at === 0 ? sorts[1] : at === 1 && key !== "time" ? "newest" : sorts[0];
                    topRequests.value += 1;
                  }}
                >
                  {label}
                  {at >= 0 && <Icon name={isDown ? "down" : "up"} />}
                </button>
              ) : (
                label
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

// The day, for the column of times: asked again every minute.
function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 60_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
