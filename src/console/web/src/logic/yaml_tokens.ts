// The colours of one line of a policy file. Enough for policy, not a YAML parser: the loader says what is right.
import type { Token } from "./json_text";

export type YamlToken = Token | { kind: "comment"; text: string };

export function yamlTokens(line: string): YamlToken[] {
  const tokens: YamlToken[] = [];
  const pattern =
    /(#.*$)|("(?:[^"\\]|\\.)*"?|'[^']*'?)|([A-Za-z_][\w-]*)(?=\s*:(?:\s|$))|(\b\d[\d.]*\b)(?=[\s,\]}]|$)|\b(true|false|null)\b/g;
  let end = 0;
  for (let found = pattern.exec(line); found !== null; found = pattern.exec(line)) {
    // A # inside a word is no comment.
    if (found[1] !== undefined && found.index > 0 && !/\s/.test(line[found.index - 1]!)) {
      pattern.lastIndex = found.index + 1;
      continue;
    }
    if (found.index > end) tokens.push({ kind: "plain", text: line.slice(end, found.index) });
    const kind = found[1] !== undefined ? "comment" : found[2] !== undefined ? "string" : found[3] !== undefined ? "key" : found[4] !== undefined ? "number" : "word";
    tokens.push({ kind, text: found[0] } as YamlToken);
    end = found.index + found[0].length;
  }
  if (end < line.length) tokens.push({ kind: "plain", text: line.slice(end) });
  return tokens;
}
