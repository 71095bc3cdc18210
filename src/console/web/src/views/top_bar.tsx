// Name, pages, mode, and what belongs to the person.
import { Icon, Logo, type IconName } from "../parts/icon";
import { filtersToSearch } from "../logic/filters";
import { complain } from "../state/notices";
import { formatHash, navigate, route, type PageName } from "../state/route";
import { session, signOut } from "../state/session";
import { isDark, redact, toggleTheme } from "../state/settings";
import { filters } from "../state/traffic";
import { ModeSwitch } from "./mode_switch";

const tabs: { page: PageName; label: string; icon: IconName }[] = [
  { page: "traffic", label: "Traffic", icon: "list" },
  { page: "policy", label: "Policy", icon: "rules" },
  { page: "hardening", label: "Hardening", icon: "shield" },
];

export function TopBar({ onHelp }: { onHelp: () => void }) {
  const { page } = route.value;
  return (
    <header class="top-bar">
      <a class="brand" href="#/traffic" aria-label="leash console">
        <Logo />
        <span class="brand-name">leash</span>
      </a>
      <nav class="tabs" aria-label="Pages">
        {tabs.map((tab) => {
          const search = tab.page === "traffic" ? filtersToSearch(filters.value) : "";
          return (
            <a
              key={tab.page}
              class="tab"
              href={formatHash(tab.page, "", search)}
              aria-current={tab.page === page ? "page" : undefined}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                event.preventDefault();
                navigate(tab.page, "", search);
              }}
            >
              <Icon name={tab.icon} />
              <span>{tab.label}</span>
            </a>
          );
        })}
      </nav>
      <span class="spring" />
      <ModeSwitch />
      <div class="top-tools">
        <button
          type="button"
          class="button ghost square"
          aria-pressed={redact.value}
          aria-label="Redact secrets"
          title={redact.value ? "Secrets in headers are masked" : "Secrets in headers are shown"}
          onClick={() => (redact.value = !redact.value)}
        >
          <Icon name={redact.value ? "eye_off" : "eye"} />
        </button>
        <button type="button" class="button ghost square" aria-label={isDark() ? "Light theme" : "Dark theme"} title={isDark() ? "Light theme" : "Dark theme"} onClick={toggleTheme}>
          <Icon name={isDark() ? "sun" : "moon"} />
        </button>
        <button type="button" class="button ghost square wide-only" aria-label="Keyboard and help" title="Keyboard and help" onClick={onHelp}>
          <Icon name="keyboard" />
        </button>
        {session.value?.auth === "token" && (
          <button
            type="button"
            class="button ghost square"
            aria-label={`Sign out (${session.value.role})`}
            title={`Signed in as ${session.value.role}. Sign out`}
            onClick={() => void signOut().catch(complain)}
          >
            <Icon name="exit" />
          </button>
        )}
      </div>
    </header>
  );
}
