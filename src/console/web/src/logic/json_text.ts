// JSON, whole or broken, laid out over lines without reading its values: numbers, escapes and repeated keys stay as
// they were sent, and a body that was cut ends where it ends.

export function looksLikeJson(text: string): boolean {
  return /^\s*[[{]/.test(text);
}

const maxDepth = 40; // deeper levels are not moved further in
const indents = Array.from({ length: maxDepth + 1 }, (_, depth) => `\n${"  ".repeat(depth)}`);
const maxGrowth = 12; // beyond it, laying out would only make a hostile body bigger

export function indentJson(text: string): string {
  const most = text.length * maxGrowth + 4096;
  let out = "";
  let depth = 0;
  let at = 0;
  let pieceStart = -1; // of what is copied as it stands
  const flush = (end: number) => {
    if (pieceStart >= 0) out += text.slice(pieceStart, end);
    pieceStart = -1;
  };
  const line = () => {
    out += indents[Math.min(depth, maxDepth)];
  };
  while (at < text.length) {
    const c = text[at]!;
    if (c === '"') {
      if (pieceStart < 0) pieceStart = at;
      at += 1;
      while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
      at = Math.min(at + 1, text.length);
    } else if (c === "{" || c === "[") {
      flush(at);
      let next = at + 1;
      while (next < text.length && isBlank(text[next]!)) next += 1;
      const closing = c === "{" ? "}" : "]";
      if (text[next] === closing) {
        out += c + closing;
        at = next + 1;
      } else {
        depth += 1;
        out += c;
        line();
        at = next;
      }
      if (out.length > most) return text;
    } else if (c === "}" || c === "]") {
      flush(at);
      depth = Math.max(0, depth - 1);
      line();
      out += c;
      at += 1;
    } else if (c === ",") {
      flush(at);
      out += c;
      line();
      at += 1;
    } else if (c === ":") {
      flush(at);
      out += ": ";
      at += 1;
    } else if (isBlank(c)) {
      flush(at);
      // Between two values at the top (NDJSON) the line break says where one ends.
      if (c === "\n" && depth === 0 && out !== "" && !out.endsWith("\n")) out += "\n";
      at += 1;
    } else {
      if (pieceStart < 0) pieceStart = at;
      at += 1;
    }
  }
  flush(text.length);
  return out.endsWith("\n") ? out.slice(0, -1) : out;
}

function isBlank(c: string): boolean {
  return c === " " || c === "\n" || c === "\t" || c === "\r";
}

export type TokenKind = "key" | "string" | "number" | "word" | "plain";

export interface Token {
  kind: TokenKind;
  text: string;
}

// The colours of one line of laid-out JSON; a line that is none comes back as it is.
export function jsonTokens(line: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /("(?:[^"\\]|\\.)*"?)(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;
  let end = 0;
  for (let found = pattern.exec(line); found !== null; found = pattern.exec(line)) {
    if (found[0] === "") break;
    if (found.index > end) tokens.push({ kind: "plain", text: line.slice(end, found.index) });
    if (found[1] !== undefined) {
      tokens.push({ kind: found[2] !== undefined ? "key" : "string", text: found[1] });
      if (found[2] !== undefined) tokens.push({ kind: "plain", text: found[2] });
    } else if (found[3] !== undefined) {
      tokens.push({ kind: "number", text: found[3] });
    } else {
      tokens.push({ kind: "word", text: found[0] });
    }
    end = found.index + found[0].length;
  }
  if (end < line.length) tokens.push({ kind: "plain", text: line.slice(end) });
  return tokens;
}
