// Requests over time by verdict, stacked; dragging over it zooms.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Stats } from "../api/types";
import { formatClock, formatDay, formatSeconds } from "../logic/format";
import { isDark } from "../state/settings";
import { useMedia } from "./media";

const heights = { wide: 104, narrow: 76 };
const verdicts = ["allowed", "would_block", "blocked", "error"] as const;
type Verdict = (typeof verdicts)[number];
const words: Record<Verdict, string> = { allowed: "allowed", would_block: "would block", blocked: "blocked", error: "errors" };

interface Props {
  stats: Stats;
  onZoom: (fromSeconds: number, toSeconds: number) => void;
}

// Each verdict with all below it: drawn from the highest down, so that they stand on each other.
function stack(stats: Stats): number[][] {
  const sums = stats.series.t.map(() => 0);
  const stacked = verdicts.map((name) => stats.series[name].map((value, at) => (sums[at] = (sums[at] ?? 0) + value)));
  return stacked.reverse();
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The day at midnight, else the time.
function tickText(seconds: number): string {
  const date = new Date(seconds * 1000);
  const clock = formatClock(date);
  if (clock === "00:00:00") return formatDay(date).slice(5);
  return clock.endsWith(":00") ? clock.slice(0, 5) : clock;
}

export function Chart({ stats, onZoom }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  const latest = useRef(stats);
  latest.current = stats;
  const [at, setAt] = useState<number | null>(null);
  const dark = isDark();
  const height = useMedia("(max-width: 699px)") ? heights.narrow : heights.wide;
  const begin = stats.series.t[0] ?? 0;
  const end = (stats.series.t[stats.series.t.length - 1] ?? 0) + stats.bucket_seconds;

  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const bars = uPlot.paths.bars!({ size: [0.86, 60], align: 1 });
    const axis = { stroke: colour("--text-quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const fills = [...verdicts].reverse().map((name) => colour(`--chart-${name.replace("_", "-")}`));
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height,
        padding: [6, 8, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false }, y: false },
        scales: {
          x: {
            time: true,
            range: () => {
              const t = latest.current.series.t;
              return [t[0] ?? 0, (t[t.length - 1] ?? 1) + latest.current.bucket_seconds];
            },
          },
          y: { range: (_, __, max) => [0, Math.max(4, max * 1.08)] },
        },
        axes: [
          { ...axis, size: 20, space: 64, values: (_, ticks) => ticks.map(tickText) },
          { ...axis, size: 44, space: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7],
            values: (_, ticks) => ticks.map((tick) => (tick >= 1e6 ? `${tick / 1e6}M` : tick >= 1000 ? `${tick / 1000}k` : String(tick))) },
        ],
        series: [{}, ...fills.map((fill) => ({ fill, stroke: fill, width: 0, paths: bars, points: { show: false } }))],
        hooks: {
          setCursor: [(self) => setAt(self.cursor.idx ?? null)],
          setSelect: [
            (self) => {
              if (self.select.width < 4) return;
              const from = self.posToVal(self.select.left, "x");
              const to = self.posToVal(self.select.left + self.select.width, "x");
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              zoom.current(from, to);
            },
          ],
        },
      },
      [latest.current.series.t, ...stack(latest.current)] as uPlot.AlignedData,
      element,
    );
    plot.current = chart;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== chart.width) chart.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [dark, height]);

  useEffect(() => {
    plot.current?.setData([stats.series.t, ...stack(stats)] as uPlot.AlignedData);
  }, [stats]);

  const counts = (index: number) =>
    verdicts
      .map((name) => [stats.series[name][index] ?? 0, words[name]] as const)
      .filter(([value]) => value > 0)
      .map(([value, word]) => `${value.toLocaleString("en-US")} ${word}`)
      .join(" · ") || "nothing";
  const moment = (seconds: number) => {
    const date = new Date(seconds * 1000);
    return end - begin > 20 * 3600 ? `${formatDay(date).slice(5)} ${formatClock(date).slice(0, 5)}` : formatClock(date);
  };
  const pointed = at === null ? undefined : stats.series.t[at];
  return (
    <div class="chart">
      <p class="chart-caption" aria-hidden="true">
        {pointed === undefined ? (
          <>
            {moment(begin)} – {moment(end)} · bars of {formatSeconds(stats.bucket_seconds)} · drag to zoom
          </>
        ) : (
          <>
            <b>{moment(pointed)}</b> · {counts(at!)}
          </>
        )}
      </p>
      <div
        ref={box}
        class="chart-plot"
        role="img"
        aria-label={`Requests over time: ${stats.totals.allowed} allowed, ${stats.totals.would_block} would block, ${stats.totals.blocked} blocked, ${stats.totals.error} errors`}
      />
    </div>
  );
}
