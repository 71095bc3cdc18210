// What the filters show, as a file.
import { useEffect, useRef, useState } from "preact/hooks";
import { withQuery } from "../api/client";
import { filtersToQuery } from "../logic/filters";
import { Icon } from "../parts/icon";
import { hiddenHosts } from "../state/settings";
import { filters } from "../state/traffic";

const formats = [
  ["ndjson", "NDJSON (log lines)"],
  ["csv", "CSV (rows)"],
  ["har", "HAR (for browsers' tools)"],
] as const;

export function ExportMenu() {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const close = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener("pointerdown", close);
    addEventListener("focusin", close);
    return () => {
      removeEventListener("pointerdown", close);
      removeEventListener("focusin", close);
    };
  }, [isOpen]);
  const query = filtersToQuery(filters.value, hiddenHosts.value);
  return (
    <div
      ref={box}
      class="menu-box wide-only"
      onKeyDown={(event) => {
        if (event.key === "Escape" && isOpen) {
          event.stopPropagation();
          setOpen(false);
          box.current?.querySelector("button")?.focus();
        }
      }}
    >
      <button type="button" class="button ghost square" aria-label="Export" title="Export what is shown" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <Icon name="download" />
      </button>
      {isOpen && (
        <ul class="menu">
          {formats.map(([format, label]) => (
            <li key={format}>
              <a href={withQuery("/api/export", { ...query, format })} download onClick={() => setOpen(false)}>
                {label}
              </a>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
