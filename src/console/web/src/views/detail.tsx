// The request that is open: what it was, who decided, what went each way.
import { useMemo, useRef, useEffect, useState } from "preact/hooks";
import type { RawLine, Row } from "../api/types";
import { targetOf } from "../logic/access";
import { headerValue } from "../logic/body_text";
import { viewExchange, type ExchangeView } from "../logic/exchange";
import { formatBytes, formatMoment, formatMs, parseTime } from "../logic/format";
import { indentJson } from "../logic/json_text";
import { chipsOf, eventWord, statusTone, subjectOf, toneOf } from "../logic/row_text";
import { visible, visibleLine } from "../logic/visible_text";
import { BodyView } from "../parts/body_view";
import { CopyButton } from "../parts/copy_button";
import { HeaderTable } from "../parts/header_table";
import { Icon } from "../parts/icon";
import { VirtualList } from "../parts/virtual_list";
import { detail, detailError } from "../state/detail";
import { manageAccess } from "../state/policy";
import { formatHash } from "../state/route";
import { isOperator } from "../state/session";
import { hideHost } from "../state/settings";
import { meta } from "../state/status";
import { selected, setFilters } from "../state/traffic";

export function DetailPanel() {
  const row = selected.value;
  const panel = useRef<HTMLElement>(null);
  const [tab, setTab] = useState<"exchange" | "lines">("exchange");
  useEffect(() => panel.current?.scrollTo(0, 0), [row?.seq]);
  // On a phone the panel covers the list, so the focus goes along.
  useEffect(() => {
    if (matchMedia("(max-width: 899px)").matches) panel.current?.focus();
  }, []);
  if (row === null) return null;
  const lines = detail.value?.lines ?? null;
  return (
    <aside ref={panel} class={`detail tone-${toneOf(row)}`} aria-label="Request" tabIndex={-1}>
      <DetailHead row={row} />
      {detailError.value !== "" && (
        <p class="form-error" role="alert">
          {detailError.value}
        </p>
      )}
      {lines !== null && (
        <div class="tabs small" role="tablist" aria-label="View">
          {(["exchange", "lines"] as const).map((name) => (
            <button key={name} type="button" role="tab" class="tab" id={`tab-${name}`} aria-controls="detail-view" aria-selected={tab === name} onClick={() => setTab(name)}>
              {name === "exchange" ? "Request" : `Log lines (${lines.length})`}
            </button>
          ))}
        </div>
      )}
      <div id="detail-view" role={lines !== null ? "tabpanel" : undefined} aria-labelledby={lines !== null ? `tab-${tab}` : undefined}>
        {lines === null ? !row.id && !row.host ? <PlainEvent row={row} /> : detailError.value === "" && <p class="quiet pad">Loading…</p> : tab === "exchange" ? <Exchange row={row} lines={lines} /> : <RawLines lines={lines} />}
      </div>
    </aside>
  );
}

function DetailHead({ row }: { row: Row }) {
  const { host, path } = subjectOf(row);
  const url = row.url ?? row.host ?? "";
  return (
    <header class="detail-head">
      <div class="detail-title">
        <span class={`badge tone-${toneOf(row)}`}>{eventWord(row.event)}</span>
        {row.status ? <span class={`code ${statusTone(row.status)}`}>{row.status}</span> : null}
        {chipsOf(row).map((chip) => (
          <span key={chip.kind} class={`chip ${chip.kind}`}>
            {chip.text}
          </span>
        ))}
        <span class="spring" />
        {url !== "" && <CopyButton text={url} what="URL" />}
        <button
          type="button"
          class="button ghost square"
          aria-label="Close"
          title="Close (Esc)"
          onClick={() => {
            selected.value = null;
            document.getElementById("rows")?.focus();
          }}
        >
          <Icon name="close" />
        </button>
      </div>
      <h2 class="detail-url">
        {row.method && <span class="method">{visibleLine(row.method)}</span>} <span class="host">{visibleLine(host)}</span>
        <span class="path">{visibleLine(path)}</span>
      </h2>
      {row.reason && row.event !== "allowed" && <p class={`detail-reason tone-${toneOf(row)}`}>{visible(row.reason)}</p>}
      {row.error && row.error !== row.reason && <p class={`detail-reason tone-${toneOf(row)}`}>{visible(row.error)}</p>}
      {row.host && (
        <div class="detail-actions">
          {isOperator.value && (
            <button type="button" class="button primary" onClick={() => manageAccess(targetOf(row))}>
              <Icon name="shield" /> Manage access
            </button>
          )}
          <button type="button" class="button" onClick={() => setFilters({ host: row.host! })}>
            Only this host
          </button>
          <button
            type="button"
            class="button"
            onClick={() => {
              selected.value = null;
              hideHost(row.host!);
            }}
          >
            Hide host
          </button>
        </div>
      )}
    </header>
  );
}

function Fact({ label, children, isBad = false, copy }: { label: string; children: preact.ComponentChildren; isBad?: boolean; copy?: string }) {
  return (
    <div class={`fact ${isBad ? "is-bad" : ""}`}>
      <dt>{label}</dt>
      <dd>
        {children}
        {copy && <CopyButton text={copy} what={label} />}
      </dd>
    </div>
  );
}

function Facts({ row, lines, view }: { row: Row; lines: RawLine[]; view: ExchangeView }) {
  const number = (name: string) => {
    for (let at = lines.length - 1; at >= 0; at -= 1) {
      const value = lines[at]![name];
      if (typeof value === "number") return value;
    }
    return null;
  };
  const up = number("bytes_up") ?? row.bytes_up;
  const down = number("bytes_down") ?? row.bytes_down ?? number("bytes");
  const began = lines[0]?.["ts"];
  const ms = row.ms ?? number("ms");
  const { rule } = view;
  return (
    <dl class="facts">
      <Fact label="Time">{formatMoment(row.ts)}</Fact>
      {typeof began === "number" && parseTime(row.ts) !== null && lines.length > 1 && <Fact label="Began">{formatMoment(began)}</Fact>}
      <Fact label="Took">{formatMs(ms)}</Fact>
      <Fact label="Sent">{formatBytes(up)}</Fact>
      <Fact label="Received">{formatBytes(down)}</Fact>
      <Fact label="Client">{visibleLine(row.client ?? "–")}</Fact>
      {row.agent && row.agent !== row.client && <Fact label="Agent">{visibleLine(row.agent)}</Fact>}
      {row.mode && <Fact label="Mode">{row.mode}</Fact>}
      <Fact label="Decided by">
        {rule === null ? (
          row.event === "blocked" ? "no rule allows it" : "no rule"
        ) : (
          <a href={formatHash("policy", rule.file.startsWith("block") ? "blocklist" : "enforce", new URLSearchParams({ host: rule.host }).toString())}>
            {rule.file}
            {rule.line !== null ? `:${rule.line}` : ""} {visibleLine(rule.host)}
          </a>
        )}
      </Fact>
      {rule !== null && rule.note !== "" && <Fact label="Rule's reason">{visible(rule.note)}</Fact>}
      {row.id && <Fact label="Id" copy={row.id}>{row.id}</Fact>}
    </dl>
  );
}

function SixNames({ view }: { view: ExchangeView }) {
  const { names } = view;
  const off = /^mismatch: (host|sni)/.exec(names.mismatch)?.[1];
  const rows: [string, string, boolean][] = [
    ["CONNECT target", names.target, false],
    ["SNI", names.sni, off === "sni"],
    ["Host / :authority", names.authority, off === "host"],
    ["Address dialled", names.address, false],
    ["ALPN with origin", names.alpn, false],
    ["Origin certificate", names.certificate, false],
  ];
  return (
    <section class="detail-section" aria-label="Names">
      <h3>Names</h3>
      <dl class="facts names">
        {rows.map(([label, value, isBad]) => (
          <Fact key={label} label={label} isBad={isBad} copy={label === "Origin certificate" && value !== "" ? value : undefined}>
            {value === "" ? <span class="quiet">–</span> : <span class="mono">{visibleLine(value)}</span>}
          </Fact>
        ))}
      </dl>
      {names.mismatch !== "" && <p class="detail-reason tone-error">{visible(names.mismatch)}</p>}
    </section>
  );
}

function Exchange({ row, lines, view: given }: { row: Row; lines: RawLine[]; view?: ExchangeView }) {
  const view = useMemo(() => given ?? viewExchange(lines), [lines]);
  const limit = meta.value?.body_limit_kb ?? null;
  const { request, response } = view;
  const hasResponse = response.headers !== null || response.body !== null || view.location !== "";
  return (
    <>
      <Facts row={row} lines={lines} view={view} />
      <div class={`sides ${hasResponse ? "two" : ""}`}>
        <Side title="Request" part={request} limit={limit} isEmpty={request.headers === null && request.body === null} />
        {hasResponse && <Side title={`Response${row.status ? ` ${row.status}` : ""}`} part={response} limit={limit} location={view.location} isEmpty={false} />}
      </div>
      {view.messages.length > 0 && <Messages view={view} />}
      <SixNames view={view} />
    </>
  );
}

function Side({ title, part, limit, location = "", isEmpty }: { title: string; part: ExchangeView["request"]; limit: number | null; location?: string; isEmpty: boolean }) {
  return (
    <section class="detail-section" aria-label={title}>
      <h3>{title}</h3>
      {location !== "" && (
        <p class="location">
          → <span class="mono">{visible(location)}</span>
        </p>
      )}
      {isEmpty && <p class="quiet">not on record: it was decided before the request was read</p>}
      {part.headers !== null && <HeaderTable headers={part.headers} label={`Headers of the ${title.toLowerCase()}`} />}
      {part.body !== null && part.body !== "" && (
        <BodyView text={part.body} contentType={headerValue(part.headers ?? [], "content-type")} label={`Body of the ${title.toLowerCase()}`} truncatedAt={part.truncated ? limit : null} />
      )}
    </section>
  );
}

function Messages({ view }: { view: ExchangeView }) {
  const [open, setOpen] = useState<number | null>(null);
  const height = 26;
  return (
    <section class="detail-section" aria-label="WebSocket messages">
      <h3>WebSocket · {view.messages.length} messages</h3>
      <VirtualList
        class="messages"
        role="group"
        aria-label="Messages"
        tabIndex={0}
        count={view.messages.length}
        rowHeight={height}
        style={{ height: `${Math.min(view.messages.length * height, 320)}px` }}
        row={(at) => {
          const message = view.messages[at]!;
          return (
            <button key={at} type="button" class={`message ${message.direction}`} aria-expanded={open === at} onClick={() => setOpen(open === at ? null : at)}>
              <Icon name={message.direction === "up" ? "up" : "down"} />
              <span class="offscreen">{message.direction === "up" ? "sent" : "received"}</span>
              <span class="message-text">{visibleLine(message.text.slice(0, 300))}</span>
              <span class="quiet">{formatBytes(message.text.length)}</span>
            </button>
          );
        }}
      />
      {open !== null && view.messages[open] && (
        <BodyView text={view.messages[open].text} contentType="" label="Message" truncatedAt={view.messages[open].truncated ? (meta.value?.body_limit_kb ?? null) : null} />
      )}
    </section>
  );
}

function RawLines({ lines }: { lines: RawLine[] }) {
  return (
    <section class="detail-section" aria-label="Log lines">
      {lines.map((line, at) => (
        <BodyView key={at} text={indentJson(JSON.stringify(line))} contentType="application/json" label={`Line ${at + 1}: ${String(line["event"])}`} truncatedAt={null} />
      ))}
    </section>
  );
}

// Events without a request: mode changes, findings, start and stop.
function PlainEvent({ row }: { row: Row }) {
  const known = Object.entries(row).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return (
    <dl class="facts">
      {known.map(([name, value]) => (
        <Fact key={name} label={name}>
          {visible(typeof value === "object" ? JSON.stringify(value) : String(value))}
        </Fact>
      ))}
    </dl>
  );
}
