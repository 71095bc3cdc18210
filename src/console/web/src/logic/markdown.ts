// The Markdown that leash's own documents are written in, as values: nothing of it ever becomes HTML text.

export type Inline = { kind: "text" | "code" | "bold"; text: string } | { kind: "link"; text: string; href: string };

export type Block =
  | { kind: "heading"; level: number; text: Inline[]; id: string }
  | { kind: "paragraph"; text: Inline[] }
  | { kind: "code"; text: string }
  | { kind: "list"; isOrdered: boolean; items: Inline[][] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] };

export function parseInline(text: string): Inline[] {
  const found: Inline[] = [];
  const pattern = /`([^`]+)`|\*\*([^*]+)\*\*|!?\[([^\]]*)\]\(([^)\s]+)\)/g;
  let end = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    if (match.index > end) found.push({ kind: "text", text: text.slice(end, match.index) });
    if (match[1] !== undefined) found.push({ kind: "code", text: match[1] });
    else if (match[2] !== undefined) found.push({ kind: "bold", text: match[2].replace(/`/g, "") });
    else if (!match[0].startsWith("!")) found.push({ kind: "link", text: match[3]!.replace(/`/g, ""), href: match[4]! });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ kind: "text", text: text.slice(end) });
  return found;
}

export function headingId(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
}

// Cells of a table's line; a bar inside code or behind a backslash divides nothing.
function cells(line: string): Inline[][] {
  const parts: string[] = [""];
  let isCode = false;
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  for (let at = 0; at < inner.length; at += 1) {
    const c = inner[at]!;
    if (c === "`") isCode = !isCode;
    if (c === "\\" && inner[at + 1] === "|") {
      parts[parts.length - 1] += "|";
      at += 1;
    } else if (c === "|" && !isCode) parts.push("");
    else parts[parts.length - 1] += c;
  }
  return parts.map((part) => parseInline(part.trim()));
}

export function parseMarkdown(text: string): Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  let at = 0;
  const isItem = (line: string) => /^\s*([-*]|\d+\.)\s+/.test(line);
  while (at < lines.length) {
    const line = lines[at]!;
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (line.trim() === "") {
      at += 1;
    } else if (line.startsWith("```")) {
      const code: string[] = [];
      for (at += 1; at < lines.length && !lines[at]!.startsWith("```"); at += 1) code.push(lines[at]!);
      at += 1;
      blocks.push({ kind: "code", text: code.join("\n") });
    } else if (heading) {
      blocks.push({ kind: "heading", level: heading[1]!.length, text: parseInline(heading[2]!), id: headingId(heading[2]!) });
      at += 1;
    } else if (line.startsWith("|") && /^\|[\s:|-]+\|?$/.test(lines[at + 1] ?? "")) {
      const head = cells(line);
      const rows: Inline[][][] = [];
      for (at += 2; at < lines.length && lines[at]!.startsWith("|"); at += 1) rows.push(cells(lines[at]!));
      blocks.push({ kind: "table", head, rows });
    } else if (isItem(line)) {
      const isOrdered = /^\s*\d/.test(line);
      const items: string[] = [];
      for (; at < lines.length && lines[at]!.trim() !== ""; at += 1) {
        if (isItem(lines[at]!)) items.push(lines[at]!.replace(/^\s*([-*]|\d+\.)\s+/, ""));
        else items[items.length - 1] += ` ${lines[at]!.trim()}`;
      }
      blocks.push({ kind: "list", isOrdered, items: items.map(parseInline) });
    } else {
      const words: string[] = [];
      for (; at < lines.length && lines[at]!.trim() !== "" && !lines[at]!.startsWith("```") && !/^#{1,6}\s/.test(lines[at]!) && !isItem(lines[at]!); at += 1) words.push(lines[at]!.trim());
      blocks.push({ kind: "paragraph", text: parseInline(words.join(" ")) });
    }
  }
  return blocks;
}
