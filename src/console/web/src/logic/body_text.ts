// A captured body as it is shown: what it is, and its text over lines of a bearable length.
import { indentJson, looksLikeJson } from "./json_text";
import { layOutSse, looksLikeSse } from "./sse_text";

export type BodyKind = "json" | "sse" | "form" | "binary" | "text";

export interface BodyText {
  kind: BodyKind;
  pretty: string;
}

export type HeaderPair = [string, string];

export function headerValue(headers: readonly HeaderPair[], name: string): string {
  const found = headers.find(([key]) => key.toLowerCase() === name);
  return found ? found[1] : "";
}

export function describeBody(text: string, contentType: string): BodyText {
  const type = contentType.toLowerCase().split(";")[0]!.trim();
  if (/^\[binary, \d+ bytes\]$/.test(text)) return { kind: "binary", pretty: text };
  if (type === "text/event-stream" || (type === "" && looksLikeSse(text))) return { kind: "sse", pretty: layOutSse(text) };
  if (/(^|[/+])(x-)?(nd)?json(l|lines)?$/.test(type) || looksLikeJson(text)) return { kind: "json", pretty: indentJson(text) };
  if (type === "application/x-www-form-urlencoded") return { kind: "form", pretty: layOutForm(text) };
  if (looksLikeSse(text)) return { kind: "sse", pretty: layOutSse(text) };
  return { kind: "text", pretty: text };
}

function layOutForm(text: string): string {
  return text
    .split("&")
    .map((pair) => {
      const equals = pair.indexOf("=");
      if (equals < 0) return decodeForm(pair);
      return `${decodeForm(pair.slice(0, equals))} = ${decodeForm(pair.slice(equals + 1))}`;
    })
    .join("\n");
}

function decodeForm(text: string): string {
  try {
    return decodeURIComponent(text.replace(/\+/g, " "));
  } catch {
    return text;
  }
}

export const lineWidth = 400;

// Lines to draw one by one; a longer one goes on in the next.
export function splitLines(text: string, width = lineWidth): string[] {
  const lines: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line.length <= width) {
      lines.push(line);
      continue;
    }
    for (let at = 0; at < line.length; ) {
      let end = Math.min(at + width, line.length);
      // Not between the halves of a surrogate pair.
      if (end < line.length && /[\ud800-\udbff]/.test(line[end - 1]!) && end - at > 1) end -= 1;
      lines.push(line.slice(at, end));
      at = end;
    }
  }
  return lines;
}
