// axe-core in the page. It is put there by the debugger's hand, so the page's content policy stays as it is.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const path = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

export async function expectAccessible(page: Page, where: string): Promise<void> {
  await page.evaluate(await readFile(path, "utf8"));
  const violations = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (root: Document, options: object) => Promise<{ violations: Violation[] }> } };
    const result = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return result.violations;
  });
  const said = violations.map((one) => `${where}: ${one.id} (${one.impact}): ${one.nodes.map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`).slice(0, 3).join(" | ")}`);
  expect(said).toEqual([]);
}
