// Copying, also where the page came over plain HTTP and the clipboard API is not there.
import { notify } from "./notices";

export async function copyText(text: string, what: string): Promise<void> {
  if (await copies(text)) notify(`Copied ${what}`);
  else notify("The browser does not let the page copy", "bad");
}

async function copies(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard && isSecureContext) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // not allowed; the older way may be
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "offscreen";
  area.setAttribute("aria-hidden", "true");
  const host = document.querySelector("dialog[open]") ?? document.body;
  const focused = document.activeElement;
  host.append(area);
  area.select();
  let isDone = false;
  try {
    isDone = document.execCommand("copy");
  } catch {
    isDone = false;
  }
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isDone;
}
