// Pictures for the documentation, taken by the tests themselves when LEASH_SCREENSHOTS=1 asks for new ones.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../../../../docs/screenshots");

export async function picture(page: Page, name: string): Promise<void> {
  if (process.env["LEASH_SCREENSHOTS"] !== "1") return;
  await page.mouse.move(1, 1);
  await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
}
