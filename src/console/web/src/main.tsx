// The page's beginning.
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/theme.css";
import "./styles/parts.css";
import "./styles/frame.css";
import "./styles/traffic.css";
import "./styles/detail.css";
import "./styles/policy.css";
import "./styles/help.css";
import { App } from "./views/app";
import { followAddress } from "./state/route";
import { watchDetail } from "./state/detail";
import { loadSession } from "./state/session";
import { keepSettings } from "./state/settings";
import { watchStatus } from "./state/status";
import { watchTraffic } from "./state/traffic";

keepSettings();
followAddress();
watchStatus();
watchTraffic();
watchDetail();
void loadSession();
render(<App />, document.getElementById("app")!);
