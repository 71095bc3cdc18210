// What a change would have done to the traffic of the last hours.
import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Change, Mode, Preview, Row } from "../api/types";
import { formatCount, formatMoment } from "../logic/format";
import { previewDifference } from "../logic/preview";
import { subjectOf } from "../logic/row_text";
import { visibleLine } from "../logic/visible_text";
import { mode as currentMode } from "../state/status";

export const previewHours = 24;

export interface PreviewRequest {
  changes?: Change[];
  files?: Record<string, string>;
  mode?: Mode;
}

export interface PreviewState {
  preview: Preview | null;
  error: string;
  isBusy: boolean;
}

// In another mode than the one that is on, what the mode itself would change is left out.
async function ask(request: PreviewRequest, signal: AbortSignal): Promise<Preview> {
  const isOther = request.mode !== undefined && request.mode !== currentMode.value;
  const [after, before] = await Promise.all([
    api.preview({ ...request, hours: previewHours }, signal),
    isOther ? api.preview({ changes: [], mode: request.mode, hours: previewHours }, signal) : null,
  ]);
  return before === null ? after : previewDifference(before, after);
}

// Asks again when the request changes (by its JSON).
export function usePreview(request: PreviewRequest | null): PreviewState {
  const [state, setState] = useState<PreviewState>({ preview: null, error: "", isBusy: false });
  const key = request === null ? "" : JSON.stringify(request);
  useEffect(() => {
    if (request === null) {
      setState({ preview: null, error: "", isBusy: false });
      return undefined;
    }
    const control = new AbortController();
    setState({ preview: null, error: "", isBusy: true });
    const timer = setTimeout(() => {
      ask(request, control.signal)
        .then((preview) => setState({ preview, error: "", isBusy: false }))
        .catch((error: unknown) => {
          if (!control.signal.aborted) setState({ preview: null, error: error instanceof Error ? error.message : String(error), isBusy: false });
        });
    }, 150);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [key]);
  return state;
}

export function PreviewView({ state, modeNote }: { state: PreviewState; modeNote?: string }) {
  const { preview, error, isBusy } = state;
  return (
    <section class="preview" aria-label="Preview" aria-live="polite" aria-busy={isBusy}>
      <h3>
        Preview <span class="quiet">against the last {previewHours} hours</span>
      </h3>
      {isBusy && <p class="quiet">Looking at the log…</p>}
      {error !== "" && (
        <p class="form-error" role="alert">
          {error}
        </p>
      )}
      {preview !== null && (
        <>
          <div class="preview-numbers">
            <span class={preview.now_allowed > 0 ? "tone-good" : ""}>
              <b>{formatCount(preview.now_allowed)}</b> newly allowed
            </span>
            <span class={preview.now_refused > 0 ? "tone-blocked" : ""}>
              <b>{formatCount(preview.now_refused)}</b> newly refused
            </span>
            <span>
              of <b>{formatCount(preview.requests)}</b> requests
            </span>
          </div>
          {preview.complete_from && <p class="quiet">There was so much traffic that only what came after {formatMoment(preview.complete_from)} was looked at.</p>}
          {preview.now_allowed === 0 && preview.now_refused === 0 && <p class="quiet">No request of that time would have ended otherwise.</p>}
          <Samples title="Newly allowed" rows={preview.allowed_samples} />
          <Samples title="Newly refused" rows={preview.refused_samples} />
        </>
      )}
      {modeNote && <p class="quiet">{modeNote}</p>}
    </section>
  );
}

function Samples({ title, rows }: { title: string; rows: Row[] }) {
  if (rows.length === 0) return null;
  return (
    <details class="samples">
      <summary>
        {title}: {rows.length === 1 ? "one example" : `${rows.length} examples`}
      </summary>
      <ul>
        {rows.map((row, at) => {
          const { host, path } = subjectOf(row);
          return (
            <li key={at}>
              {row.method && <span class="method">{visibleLine(row.method)}</span>} <span class="mono">{visibleLine(host + path)}</span>
              {row.port ? <span class="port">:{row.port}</span> : null}
              {row.count !== undefined && row.count > 1 && <span class="quiet"> × {row.count}</span>}
            </li>
          );
        })}
      </ul>
    </details>
  );
}
