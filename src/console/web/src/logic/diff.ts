// Line differences: reading a unified diff, and making one of two small texts.

export type DiffKind = "added" | "removed" | "same" | "head";

export interface DiffLine {
  kind: DiffKind;
  text: string;
}

export function parseUnified(diff: string): DiffLine[] {
  const lines: DiffLine[] = [];
  for (const line of diff.replace(/\n$/, "").split("\n")) {
    if (line.startsWith("+++") || line.startsWith("---")) continue;
    if (line.startsWith("@@")) lines.push({ kind: "head", text: line });
    else if (line.startsWith("+")) lines.push({ kind: "added", text: line.slice(1) });
    else if (line.startsWith("-")) lines.push({ kind: "removed", text: line.slice(1) });
    else lines.push({ kind: "same", text: line.replace(/^ /, "") });
  }
  return lines;
}

const maxCells = 4_000_000;

// The difference with `context` lines around each change. Texts too long to compare line by line come whole.
export function diffLines(before: string, after: string, context = 2): DiffLine[] {
  const a = before.replace(/\n$/, "").split("\n");
  const b = after.replace(/\n$/, "").split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA -= 1;
    endB -= 1;
  }
  const middle = compare(a.slice(start, endA), b.slice(start, endB));
  const all: DiffLine[] = [
    ...a.slice(Math.max(0, start - context), start).map((text): DiffLine => ({ kind: "same", text })),
    ...middle,
    ...a.slice(endA, endA + context).map((text): DiffLine => ({ kind: "same", text })),
  ];
  return middle.length === 0 ? [] : fold(all, context);
}

function compare(a: string[], b: string[]): DiffLine[] {
  const removed = (text: string): DiffLine => ({ kind: "removed", text });
  const added = (text: string): DiffLine => ({ kind: "added", text });
  if ((a.length + 1) * (b.length + 1) > maxCells) return [...a.map(removed), ...b.map(added)];
  // Lengths of the longest common subsequences of the tails.
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      table[i * width + j] =
        a[i] === b[j] ? table[(i + 1) * width + j + 1]! + 1 : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!);
    }
  }
  const out: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: "same", text: a[i]! });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && table[(i + 1) * width + j]! >= table[i * width + j + 1]!)) {
      out.push(removed(a[i]!));
      i += 1;
    } else {
      out.push(added(b[j]!));
      j += 1;
    }
  }
  return out;
}

// Long stretches without a change become one line.
function fold(lines: DiffLine[], context: number): DiffLine[] {
  const near = lines.map(() => false);
  lines.forEach((line, at) => {
    if (line.kind === "same") return;
    for (let k = Math.max(0, at - context); k <= Math.min(lines.length - 1, at + context); k += 1) near[k] = true;
  });
  const out: DiffLine[] = [];
  lines.forEach((line, at) => {
    if (near[at]) out.push(line);
    else if (out[out.length - 1]?.kind !== "head") out.push({ kind: "head", text: "…" });
  });
  return out;
}
