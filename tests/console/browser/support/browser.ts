// Chromium, and a page that notices what a page must never do.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { expect } from "vitest";
import type { Stack } from "./stack";

const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];

export interface Look {
  width?: number;
  height?: number;
  scheme?: "light" | "dark";
}

export class Visitor {
  readonly troubles: string[] = [];

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly profile: string,
  ) {}

  static async open(look: Look = {}): Promise<Visitor> {
    const profile = await mkdtemp(join(tmpdir(), "leash-chromium-"));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env["LEASH_CHROMIUM"] ?? "/usr/bin/chromium",
      headless: true,
      args: flags,
      viewport: { width: look.width ?? 1440, height: look.height ?? 900 },
      colorScheme: look.scheme ?? "light",
      reducedMotion: "reduce",
      timezoneId: "UTC",
      acceptDownloads: true,
    });
    context.setDefaultTimeout(40_000);
    const page = context.pages()[0] ?? (await context.newPage());
    const visitor = new Visitor(context, page, profile);
    page.on("pageerror", (error) => visitor.troubles.push(`error: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      // The browser reports each answer above 399 itself; those are asserted where they matter.
      if (message.type() === "error" && !text.startsWith("Failed to load resource")) visitor.troubles.push(`console: ${text}`);
      if (/Content Security Policy/.test(text)) visitor.troubles.push(`policy: ${text}`);
    });
    page.on("request", (request) => {
      if (!request.url().startsWith("http://127.0.0.1:") && !/^(data|blob|about|chrome)/.test(request.url())) visitor.troubles.push(`outside: ${request.url()}`);
    });
    return visitor;
  }

  async signIn(stack: Stack, role: "operator" | "viewer" = "operator"): Promise<void> {
    await this.page.goto(`${stack.address}/`);
    await this.page.getByLabel("Token").fill(await stack.token(role));
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.getByRole("grid").waitFor();
  }

  // Nothing was thrown, refused by the content policy, or fetched from elsewhere.
  expectNoTrouble(): void {
    expect(this.troubles).toEqual([]);
  }

  async close(): Promise<void> {
    await this.context.close();
    await rm(this.profile, { recursive: true, force: true });
  }
}
