// The frame around the pages.
import { useState } from "preact/hooks";
import { Logo } from "../parts/icon";
import { Notices } from "../parts/notices";
import { QuestionDialog } from "../parts/question";
import { route } from "../state/route";
import { isSignedIn, loadSession, session, sessionError } from "../state/session";
import { AccessDialog } from "./access_dialog";
import { Banners } from "./banners";
import { HardeningPage } from "./hardening";
import { HealthStrip } from "./health_strip";
import { HelpPage } from "./help";
import { HelpDialog } from "./help_dialog";
import { PolicyPage } from "./policy";
import { SignIn } from "./sign_in";
import { TopBar } from "./top_bar";
import { TrafficPage } from "./traffic";

export function App() {
  const [isHelpOpen, setHelpOpen] = useState(false);
  if (session.value === null) {
    return (
      <main class="splash">
        <Logo />
        {sessionError.value === "" ? (
          <p class="quiet">Asking the console…</p>
        ) : (
          <>
            <p role="alert">{sessionError.value}</p>
            <button type="button" class="button" onClick={() => void loadSession()}>
              Try again
            </button>
          </>
        )}
      </main>
    );
  }
  if (!isSignedIn.value) return <SignIn />;
  const { page } = route.value;
  return (
    <div class="frame">
      <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); document.getElementById("content")?.focus(); }}>
        Skip to content
      </a>
      <TopBar onHelp={() => setHelpOpen(true)} />
      <Banners />
      <main id="content" class={`content ${page}`} tabIndex={-1}>
        {page === "traffic" && <TrafficPage onHelp={() => setHelpOpen(true)} />}
        {page === "policy" && <PolicyPage />}
        {page === "hardening" && <HardeningPage />}
        {page === "help" && <HelpPage />}
      </main>
      <HealthStrip />
      <AccessDialog />
      {isHelpOpen && <HelpDialog onClose={() => setHelpOpen(false)} />}
      <QuestionDialog />
      <Notices />
    </div>
  );
}
