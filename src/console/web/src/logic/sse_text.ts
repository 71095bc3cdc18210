// Server-sent events in a captured body (WHATWG HTML, section 9.2.6), for reading.
import { indentJson, looksLikeJson } from "./json_text";

export interface SseEvent {
  event: string;
  id: string;
  data: string;
}

export function looksLikeSse(text: string): boolean {
  return /^(?:﻿)?(?::[^\n]*\r?\n|\s)*(?:data|event|id|retry):/.test(text);
}

// A last event without its blank line is kept: a body may have been cut.
export function parseSse(text: string): SseEvent[] {
  const events: SseEvent[] = [];
  let event = "";
  let id = "";
  let data: string[] = [];
  const finish = () => {
    if (data.length > 0 || event !== "") events.push({ event: event || "message", id, data: data.join("\n") });
    event = "";
    data = [];
  };
  for (const line of text.replace(/^﻿/, "").split(/\r\n|\n|\r/)) {
    if (line === "") {
      finish();
      continue;
    }
    if (line.startsWith(":")) continue;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id") id = value;
  }
  finish();
  return events;
}

export function layOutSse(text: string): string {
  return parseSse(text)
    .map(({ event, id, data }) => {
      const head = `event: ${event}${id ? `  id: ${id}` : ""}`;
      return `${head}\n${looksLikeJson(data) ? indentJson(data) : data}`;
    })
    .join("\n\n");
}
