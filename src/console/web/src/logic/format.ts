// Numbers and times as people read them.

const units = ["B", "KB", "MB", "GB", "TB"];

export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return "–";
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${value} B` : `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function formatMs(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "–";
  if (ms < 1) return "<1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return formatSeconds(ms / 1000);
}

// 90 -> "1 min 30 s"; at most two units.
export function formatSeconds(seconds: number): string {
  const parts: [number, string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  let rest = Math.max(0, Math.round(seconds));
  const said: string[] = [];
  for (const [size, unit] of parts) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) said.push(`${count} ${unit}`);
    if (said.length === 2 || (said.length === 1 && count === 0)) break;
  }
  return said.join(" ") || "0 s";
}

export function formatCount(count: number | null | undefined): string {
  if (count === null || count === undefined || !Number.isFinite(count)) return "–";
  if (count < 10_000) return count.toLocaleString("en-US");
  if (count < 1_000_000) return `${(count / 1000).toFixed(count < 100_000 ? 1 : 0)} k`;
  return `${(count / 1_000_000).toFixed(count < 100_000_000 ? 1 : 0)} M`;
}

export function formatPercent(part: number, whole: number): string {
  if (whole <= 0) return "–";
  const percent = (part / whole) * 100;
  if (percent > 99.9 && part < whole) return "99.9 %"; // never round up to "all of it"
  return `${percent >= 99.95 || percent === 0 ? percent.toFixed(0) : percent.toFixed(1)} %`;
}

// The log's own text is kept where it is no time at all.
export function parseTime(text: string | number | null | undefined): Date | null {
  if (text === null || text === undefined || text === "") return null;
  const date = typeof text === "number" ? new Date(text * 1000) : new Date(text);
  return Number.isNaN(date.getTime()) ? null : date;
}

const two = (value: number) => String(value).padStart(2, "0");
const three = (value: number) => String(value).padStart(3, "0");

export function formatDay(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function formatClock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

// A row's time: the clock, and the day where it is not today.
export function formatRowTime(text: string | number, now: Date): { day: string | null; clock: string; millis: string } {
  const date = parseTime(text);
  if (date === null) return { day: null, clock: String(text), millis: "" };
  const day = formatDay(date);
  return { day: day === formatDay(now) ? null : day.slice(5), clock: formatClock(date), millis: `.${three(date.getMilliseconds())}` };
}

export function formatMoment(text: string | number | null | undefined): string {
  const date = parseTime(text);
  return date === null ? String(text ?? "–") : `${formatDay(date)} ${formatClock(date)}`;
}

export function formatAgo(text: string | number, now: Date): string {
  const date = parseTime(text);
  if (date === null) return String(text);
  const seconds = (now.getTime() - date.getTime()) / 1000;
  if (seconds < 0) return `in ${formatSeconds(-seconds)}`;
  if (seconds < 5) return "just now";
  return `${formatSeconds(seconds)} ago`;
}

// What <input type="datetime-local"> holds, in local time with seconds.
export function toLocalInput(date: Date): string {
  return `${formatDay(date)}T${formatClock(date)}`;
}
