// A body of any size: its lines are drawn as they are seen, so that a megabyte opens at once.
import { useMemo, useState } from "preact/hooks";
import { describeBody, splitLines, type BodyKind } from "../logic/body_text";
import { jsonTokens } from "../logic/json_text";
import { formatBytes } from "../logic/format";
import { visible } from "../logic/visible_text";
import { CopyButton } from "./copy_button";
import { VirtualList } from "./virtual_list";

const lineHeight = 18;
const maxHeight = 460;

const kindWords: Record<BodyKind, string> = { json: "JSON", sse: "event stream", form: "form", binary: "binary", text: "text" };

interface Props {
  text: string;
  contentType: string;
  label: string;
  truncatedAt: number | null; // KB; null: whole
}

export function BodyView({ text, contentType, label, truncatedAt }: Props) {
  const [isRaw, setRaw] = useState(false);
  const body = useMemo(() => describeBody(text, contentType), [text, contentType]);
  const shown = isRaw ? text : body.pretty;
  const lines = useMemo(() => splitLines(shown), [shown]);
  const isColoured = body.kind === "json" || body.kind === "sse";
  const height = Math.min(lines.length * lineHeight + 16, maxHeight);
  return (
    <figure class="body">
      <figcaption>
        <span class="quiet">
          {kindWords[body.kind]} · {formatBytes(text.length)}
          {lines.length > 1 ? ` · ${lines.length.toLocaleString("en-US")} lines` : ""}
        </span>
        <span class="spring" />
        {body.pretty !== text && (
          <button type="button" class="button ghost tiny" aria-pressed={isRaw} onClick={() => setRaw(!isRaw)}>
            {isRaw ? "Pretty" : "Raw"}
          </button>
        )}
        <CopyButton text={shown} what={label.toLowerCase()} />
      </figcaption>
      <VirtualList
        class="code"
        role="group"
        aria-label={label}
        tabIndex={0}
        count={lines.length}
        rowHeight={lineHeight}
        overscan={20}
        style={{ height: `${height}px` }}
        row={(at) => <CodeLine key={at} text={lines[at] ?? ""} isJson={isColoured && !isRaw} />}
      />
      {truncatedAt !== null && <p class="note">body truncated at {truncatedAt} KB</p>}
    </figure>
  );
}

function CodeLine({ text, isJson }: { text: string; isJson: boolean }) {
  if (!isJson) return <div class="code-line">{visible(text)}</div>;
  return (
    <div class="code-line">
      {jsonTokens(text).map((token, at) => (
        <span key={at} class={`tok-${token.kind}`}>
          {visible(token.text)}
        </span>
      ))}
    </div>
  );
}
