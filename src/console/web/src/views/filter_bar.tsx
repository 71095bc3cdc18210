// Search, time, verdict and the other filters.
import { useEffect, useRef, useState } from "preact/hooks";
import { countFilters, isStatusFilter, ranges, toIsoOrEmpty, type Filters } from "../logic/filters";
import { formatCount, formatMoment, toLocalInput } from "../logic/format";
import { Icon } from "../parts/icon";
import { hiddenHosts, hideHost, showChart, showHost } from "../state/settings";
import { mode } from "../state/status";
import { clearFilters, facets, filters, setFilters } from "../state/traffic";
import { ExportMenu } from "./export_menu";

const debounceMs = 150;

// A text field that tells what was typed when typing pauses.
function TextFilter({ name, label, placeholder, id, isBad = false, class: extra = "" }: {
  name: "q" | "client" | "agent" | "host" | "status";
  label: string;
  placeholder: string;
  id?: string;
  isBad?: boolean;
  class?: string;
}) {
  const current = filters.value[name];
  const [text, setText] = useState(current);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => setText(current), [current]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const set = (value: string, wait: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      if (filters.value[name] !== value) setFilters({ [name]: value } as Partial<Filters>, "replace");
    }, wait);
  };
  return (
    <input
      id={id}
      type="search"
      class={`input ${extra} ${current !== "" ? "is-set" : ""}`}
      aria-label={label}
      placeholder={placeholder}
      aria-invalid={isBad}
      spellcheck={false}
      autocomplete="off"
      value={text}
      onInput={(event) => {
        setText(event.currentTarget.value);
        set(event.currentTarget.value, debounceMs);
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter") {
          set(text, 0);
          if (id === "search") document.getElementById("rows")?.focus();
        } else if (event.key === "Escape") {
          event.preventDefault(); // leaves the field, and what is in it
        }
      }}
    />
  );
}

function Verdicts() {
  const { event, wouldBlock } = filters.value;
  const totals = facets.value;
  const all = totals === null ? null : totals.allowed + totals.would_block + totals.blocked + totals.error;
  const options = [
    { key: "all", label: "All", count: all, isOn: event === "" && !wouldBlock, patch: { event: "", wouldBlock: false } },
    { key: "allowed", label: "Allowed", count: totals === null ? null : totals.allowed + totals.would_block, isOn: event === "allowed" && !wouldBlock, patch: { event: "allowed", wouldBlock: false } },
    { key: "would_block", label: "Would block in enforce", count: totals?.would_block ?? null, isOn: wouldBlock, patch: { event: "", wouldBlock: true } },
    { key: "blocked", label: "Blocked", count: totals?.blocked ?? null, isOn: event === "blocked", patch: { event: "blocked", wouldBlock: false } },
    { key: "error", label: "Errors", count: totals?.error ?? null, isOn: event === "error", patch: { event: "error", wouldBlock: false } },
  ];
  return (
    <div class="verdicts" role="group" aria-label="Verdict">
      {options
        .filter((option) => option.key !== "would_block" || option.isOn || mode.value !== "enforce" || (option.count ?? 0) > 0)
        .map((option) => (
          <button
            key={option.key}
            type="button"
            class={`verdict ${option.key}`}
            aria-pressed={option.isOn}
            onClick={() => setFilters(option.isOn ? { event: "", wouldBlock: false } : option.patch)}
          >
            <span class="swatch" aria-hidden="true" />
            <span>{option.key === "would_block" ? "Would block" : option.label}</span>
            {option.count !== null && <span class="verdict-count">{formatCount(option.count)}</span>}
          </button>
        ))}
    </div>
  );
}

function TimeRange() {
  const { after, before } = filters.value;
  const isCustom = before !== "" || !ranges.some((range) => range.value === after);
  const [isEditing, setEditing] = useState(false);
  return (
    <>
      <select
        class="input select"
        aria-label="Time range"
        value={isCustom || isEditing ? "custom" : after}
        onChange={(event) => {
          const { value } = event.currentTarget;
          setEditing(value === "custom");
          if (value !== "custom") setFilters({ after: value, before: "" });
        }}
      >
        {ranges.map((range) => (
          <option key={range.value} value={range.value}>
            {range.value === "" ? range.label : `Last ${range.label}`}
          </option>
        ))}
        <option value="custom">From … to …</option>
      </select>
      {(isCustom || isEditing) && (
        <span class="time-custom">
          <DateField label="From" value={after} onChange={(value) => setFilters({ after: value })} />
          <DateField label="To" value={before} onChange={(value) => setFilters({ before: value })} />
          {isCustom && (
            <button type="button" class="button ghost tiny" onClick={() => { setEditing(false); setFilters({ after: "24h", before: "" }); }}>
              Reset zoom
            </button>
          )}
        </span>
      )}
    </>
  );
}

function DateField({ label, value, onChange }: { label: string; value: string; onChange: (iso: string) => void }) {
  const date = value === "" ? null : new Date(value);
  const isTime = date !== null && !Number.isNaN(date.getTime());
  return (
    <input
      type="datetime-local"
      step="1"
      class="input"
      aria-label={label}
      title={isTime ? formatMoment(value) : undefined}
      value={isTime ? toLocalInput(date) : ""}
      onChange={(event) => onChange(toIsoOrEmpty(event.currentTarget.value))}
    />
  );
}

function HiddenHosts() {
  const [text, setText] = useState("");
  return (
    <div class="hidden-hosts">
      <input
        type="text"
        class="input"
        aria-label="Hide host"
        placeholder="Hide host ⏎"
        spellcheck={false}
        autocomplete="off"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || text.trim() === "") return;
          hideHost(text);
          setText("");
        }}
      />
      {hiddenHosts.value.map((host) => (
        <span key={host} class="pill">
          <span>{host}</span>
          <button type="button" aria-label={`Show ${host} again`} onClick={() => showHost(host)}>
            <Icon name="close" />
          </button>
        </span>
      ))}
    </div>
  );
}

export function FilterBar() {
  const [isOpen, setOpen] = useState(false); // on a narrow screen
  const now = filters.value;
  const set = countFilters(now);
  return (
    <section class={`filters ${isOpen ? "is-open" : ""}`} aria-label="Filters">
      <div class="filter-row">
        <div class="search-box">
          <Icon name="search" />
          <TextFilter id="search" name="q" label="Search" placeholder="Search URL, host, method, status, bodies …" class="search" />
          <kbd class="wide-only">/</kbd>
        </div>
        <TimeRange />
        <button type="button" class="button narrow-only" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          Filters{set > 0 ? ` (${set})` : ""}
        </button>
        <button type="button" class="button ghost square wide-only" aria-pressed={showChart.value} aria-label="Chart" title="Chart" onClick={() => (showChart.value = !showChart.value)}>
          <Icon name="chart" />
        </button>
        <ExportMenu />
      </div>
      <Verdicts />
      <div class="filter-row more-filters">
        <TextFilter name="host" label="Host" placeholder="Host" class="mid" />
        <TextFilter name="client" label="Client address" placeholder="Client" class="short" />
        <TextFilter name="agent" label="Agent" placeholder="Agent" class="short" />
        <TextFilter name="status" label="Status" placeholder="Status, e.g. 4xx" class="short" isBad={!isStatusFilter(now.status)} />
        <label class="check">
          <input type="checkbox" checked={now.internetOnly} onChange={(event) => setFilters({ internetOnly: event.currentTarget.checked })} />
          <span>Internet only</span>
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={now.event === "all"}
            onChange={(event) => setFilters({ event: event.currentTarget.checked ? "all" : "", wouldBlock: false })}
          />
          <span>Every line</span>
        </label>
        <HiddenHosts />
        {set > 0 && (
          <button type="button" class="button ghost tiny" onClick={clearFilters}>
            Clear filters
          </button>
        )}
      </div>
    </section>
  );
}
