import type { DiffLine } from "../logic/diff";
import { visible } from "../logic/visible_text";

const signs = { added: "+", removed: "−", same: " ", head: "" } as const;
const spoken = { added: "added: ", removed: "removed: ", same: "", head: "" } as const;

export function DiffView({ lines, label }: { lines: readonly DiffLine[]; label: string }) {
  return (
    <div class="diff" role="group" aria-label={label} tabIndex={0}>
      {lines.map((line, at) => (
        <div key={at} class={`diff-line ${line.kind}`}>
          <span class="sign" aria-hidden="true">
            {signs[line.kind]}
          </span>
          <span class="offscreen">{spoken[line.kind]}</span>
          <span>{visible(line.text) || " "}</span>
        </div>
      ))}
    </div>
  );
}
