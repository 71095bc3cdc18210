// Which hosts and which agents: each line is a filter.
import { formatBytes, formatCount } from "../logic/format";
import { visibleLine } from "../logic/visible_text";
import { Icon } from "../parts/icon";
import { hideHost } from "../state/settings";
import { filters, setFilters, stats } from "../state/traffic";

const shown = 12;

interface Item {
  key: string;
  label: string;
  count: number;
  blocked: number;
  bytes: number;
  isOn: boolean;
  choose: () => void;
  hide?: () => void;
}

function TopList({ title, items }: { title: string; items: Item[] }) {
  const most = Math.max(1, ...items.map((item) => item.count));
  return (
    <section class="top-list" aria-label={title}>
      <h2>{title}</h2>
      {items.length === 0 && <p class="quiet">none</p>}
      <ul>
        {items.map((item) => (
          <li key={item.key}>
            <button type="button" class="top-item" aria-pressed={item.isOn} onClick={item.choose} title={`${item.label}: ${item.count} requests, ${item.blocked} blocked, ${formatBytes(item.bytes)}`}>
              <span class="top-label">{visibleLine(item.label)}</span>
              <span class="top-count">
                {item.blocked > 0 && <span class="top-blocked">{formatCount(item.blocked)} blocked</span>}
                {formatCount(item.count)}
              </span>
              <span class="top-bar-track" aria-hidden="true">
                <span class="top-bar-all" style={{ width: `${(item.count / most) * 100}%` }}>
                  <span class="top-bar-blocked" style={{ width: `${item.count > 0 ? (item.blocked / item.count) * 100 : 0}%` }} />
                </span>
              </span>
            </button>
            {item.hide && (
              <button type="button" class="button ghost square top-hide" aria-label={`Hide ${item.label}`} title="Hide this host" onClick={item.hide}>
                <Icon name="eye_off" />
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function TopLists() {
  const numbers = stats.value;
  if (numbers === null) return <aside class="side" aria-label="Counts" />;
  const { host, agent, client } = filters.value;
  const hosts = numbers.hosts.slice(0, shown).map((one): Item => ({
    key: one.host,
    label: one.host,
    count: one.count,
    blocked: one.blocked,
    bytes: one.bytes,
    isOn: host === one.host,
    choose: () => setFilters({ host: host === one.host ? "" : one.host }),
    hide: () => hideHost(one.host),
  }));
  const agents = numbers.agents.slice(0, shown).map((one): Item => {
    const name = one.agent ?? one.client ?? "unknown";
    const isNamed = one.agent !== null && one.agent !== one.client;
    const isOn = isNamed ? agent === name : client === name;
    return {
      key: `${one.agent}/${one.client}`,
      label: isNamed && one.client ? `${name} (${one.client})` : name,
      count: one.count,
      blocked: one.blocked,
      bytes: one.bytes,
      isOn,
      choose: () => setFilters(isNamed ? { agent: isOn ? "" : name } : { client: isOn ? "" : name }),
    };
  });
  return (
    <aside class="side" aria-label="Counts">
      <p class="side-totals">
        <span>
          <Icon name="up" /> {formatBytes(numbers.totals.bytes_up)} sent
        </span>
        <span>
          <Icon name="down" /> {formatBytes(numbers.totals.bytes_down)} received
        </span>
      </p>
      <TopList title="Top hosts" items={hosts} />
      <TopList title="Agents" items={agents} />
    </aside>
  );
}
