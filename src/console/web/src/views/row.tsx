// One row of the list.
import { memo } from "preact/compat";
import type { Row } from "../api/types";
import { targetOf } from "../logic/access";
import { formatBytes, formatRowTime } from "../logic/format";
import { chipsOf, eventWord, isUsualPort, statusTone, subjectOf, toneOf } from "../logic/row_text";
import { visibleLine } from "../logic/visible_text";
import { manageAccess } from "../state/policy";
import { isOperator } from "../state/session";
import { hideHost } from "../state/settings";
import { setFilters } from "../state/traffic";

export const rowId = (seq: number) => `row-${seq}`;

interface Props {
  row: Row | null; // null: on its way
  index: number;
  now: Date;
  isActive: boolean;
  isSelected: boolean;
  onOpen: (row: Row) => void;
}

function TrafficRowView({ row, index, now, isActive, isSelected, onOpen }: Props) {
  if (row === null) {
    return (
      <div role="row" class="row loading" aria-rowindex={index + 2}>
        <div role="gridcell" class="cell subject">
          …
        </div>
      </div>
    );
  }
  const time = formatRowTime(row.ts, now);
  const { host, path } = subjectOf(row);
  const chips = chipsOf(row);
  const size = row.bytes ?? row.bytes_down ?? null;
  const agent = row.agent && row.agent !== row.client ? row.agent : null;
  return (
    <div
      role="row"
      id={rowId(row.seq)}
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      class={`row tone-${toneOf(row)} ${isActive ? "is-active" : ""} ${isSelected ? "is-selected" : ""}`}
      onClick={() => onOpen(row)}
    >
      <div role="gridcell" class="cell time" title={row.ts}>
        {time.day !== null && <span class="day">{time.day} </span>}
        {time.clock}
        <span class="millis">{time.millis}</span>
      </div>
      <div role="gridcell" class="cell client" title={agent === null ? undefined : (row.client ?? undefined)}>
        {visibleLine(agent ?? row.client ?? "")}
      </div>
      <div role="gridcell" class="cell subject" title={visibleLine(row.url ?? host)}>
        {row.method && <span class="method">{visibleLine(row.method)}</span>}
        <span class="url">
          <span class="host">{visibleLine(host)}</span>
          <span class="path">{visibleLine(path)}</span>
        </span>
        {row.port ? <span class={`port ${isUsualPort(row.port) ? "" : "unusual"}`}>:{row.port}</span> : null}
        {chips.map((chip) => (
          <span key={chip.kind} class={`chip ${chip.kind}`}>
            {chip.text}
          </span>
        ))}
        <span class="row-tools" aria-hidden="true">
          {row.host && (
            <>
              <RowTool label="Only" title="Only this host" onClick={() => setFilters({ host: row.host! })} />
              <RowTool label="Hide" title="Hide this host" onClick={() => hideHost(row.host!)} />
              {isOperator.value && <RowTool label="Access" title="Manage access" onClick={() => manageAccess(targetOf(row))} />}
            </>
          )}
        </span>
      </div>
      <div role="gridcell" class="cell status">
        {row.status ? <span class={`code ${statusTone(row.status)}`}>{row.status}</span> : <span class="code none">–</span>}
        {size !== null && size > 0 && <span class="size">{formatBytes(size)}</span>}
      </div>
      <div role="gridcell" class="cell event">
        <span class="event-word">{eventWord(row.event)}</span>
        {row.reason && row.host && row.event !== "allowed" && <span class="reason">{visibleLine(row.reason)}</span>}
      </div>
    </div>
  );
}

function RowTool({ label, title, onClick }: { label: string; title: string; onClick: () => void }) {
  return (
    <button
      type="button"
      class="row-tool"
      tabIndex={-1}
      title={title}
      onClick={(event) => {
        event.stopPropagation();
        onClick();
      }}
    >
      {label}
    </button>
  );
}

export const TrafficRow = memo(
  TrafficRowView,
  (a, b) => a.row === b.row && a.index === b.index && a.now === b.now && a.isActive === b.isActive && a.isSelected === b.isSelected,
);
