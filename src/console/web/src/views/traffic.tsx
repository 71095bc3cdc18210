// What agents do: filters, chart, list, and beside it the counts or the open request.
import { useEffect } from "preact/hooks";
import { Chart } from "../parts/chart";
import { useMedia } from "../parts/media";
import { showChart } from "../state/settings";
import { isPaused, selected, setFilters, stats } from "../state/traffic";
import { DetailPanel } from "./detail";
import { FilterBar } from "./filter_bar";
import { RowList } from "./row_list";
import { TopLists } from "./top_lists";

export function TrafficPage({ onHelp }: { onHelp: () => void }) {
  const isWide = useMedia("(min-width: 1100px)");
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      const target = event.target as HTMLElement;
      if (target.closest("input, textarea, select, [contenteditable]")) {
        if (event.key === "Escape") target.blur();
        return;
      }
      if (event.key === "/") document.getElementById("search")?.focus();
      else if (event.key === "p") isPaused.value = !isPaused.value;
      else if (event.key === "?") onHelp();
      else if (event.key === "Escape" && selected.value !== null) {
        selected.value = null;
        document.getElementById("rows")?.focus();
      } else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  const numbers = stats.value;
  return (
    <div class="traffic-page">
      <h1 class="offscreen">Traffic</h1>
      <FilterBar />
      {showChart.value && numbers !== null && numbers.series.t.length > 0 && (
        <Chart
          stats={numbers}
          onZoom={(from, to) => setFilters({ after: new Date(from * 1000).toISOString(), before: new Date(to * 1000).toISOString() })}
        />
      )}
      <div class={`split ${selected.value ? "has-detail" : ""}`}>
        <RowList />
        {selected.value ? <DetailPanel /> : isWide && <TopLists />}
      </div>
    </div>
  );
}
