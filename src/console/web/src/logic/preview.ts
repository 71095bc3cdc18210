// What a change does in a mode that is not on: beside the same mode without the change, so that the change alone is counted.
import type { Preview, Row } from "../api/types";

const keyOf = (row: Row) => `${row.method ?? ""} ${row.host ?? ""}:${row.port ?? ""} ${row.url ?? ""}`;

function without(rows: readonly Row[], others: readonly Row[]): Row[] {
  const known = new Set(others.map(keyOf));
  return rows.filter((row) => !known.has(keyOf(row)));
}

export function previewDifference(before: Preview, after: Preview): Preview {
  const refused = after.now_refused - before.now_refused;
  const allowed = after.now_allowed - before.now_allowed;
  // What is not refused any more is allowed by the change, and the other way round.
  return {
    ...after,
    now_allowed: Math.max(0, allowed) + Math.max(0, -refused),
    now_refused: Math.max(0, refused) + Math.max(0, -allowed),
    allowed_samples: [...without(after.allowed_samples, before.allowed_samples), ...(refused < 0 ? without(before.refused_samples, after.refused_samples) : [])],
    refused_samples: [...(refused > 0 ? without(after.refused_samples, before.refused_samples) : []), ...(allowed < 0 ? without(before.allowed_samples, after.allowed_samples) : [])],
  };
}
