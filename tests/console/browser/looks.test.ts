// How the page looks and who can use it: both themes, a phone, the keyboard alone, a screen reader. The pictures are for the documentation.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { expectAccessible } from "./support/axe";
import { Visitor } from "./support/browser";
import { picture } from "./support/screenshot";
import { seedLines } from "./support/seed";
import { names, Stack } from "./support/stack";
import { until } from "./support/wait";

const enforce = `# what agents may reach
allow:
  - host: api.anthropic.com
    reason: "the model"
  - host: registry.npmjs.org
    paths:
      - { method: GET, prefix: / }
    reason: "installs"
  - host: pypi.org
    paths: [{ method: GET, prefix: /simple/ }]
  - host: files.pythonhosted.org
    paths: [{ method: GET, prefix: /packages/ }]
  - host: github.com
    expires: 2036-12-31T00:00:00Z
    reason: "reading sources, until the mirror is there"
`;

let stack: Stack;
let visitor: Visitor;

beforeAll(async () => {
  stack = await Stack.start({ seed: seedLines(2500, Date.now() / 1000), enforce, mode: "audit" });
  visitor = await Visitor.open({ scheme: "dark" });
  await visitor.signIn(stack);
});

afterAll(async () => {
  await visitor?.close();
  await stack?.stop();
});

const rows = (page: Page) => page.getByRole("grid").getByRole("row");

async function traffic(page: Page): Promise<void> {
  await page.goto(`${stack.address}/#/traffic`);
  await rows(page).nth(3).waitFor();
  await page.locator(".chart .u-over").waitFor();
  await page.getByRole("region", { name: "Top hosts" }).getByRole("button").first().waitFor();
}

describe.each(["dark", "light"] as const)("%s", (scheme) => {
  test("the traffic page, with and without an open request", async () => {
    const { page } = visitor;
    await page.emulateMedia({ colorScheme: scheme });
    await traffic(page);
    await until("the theme", async () => (await page.locator("html").getAttribute("data-theme")) === scheme);
    await expectAccessible(page, `traffic, ${scheme}`);
    await picture(page, `traffic-${scheme}`);
    await rows(page).filter({ hasText: "api.anthropic.com" }).first().click();
    await page.getByRole("table", { name: "Headers of the request" }).waitFor();
    await expectAccessible(page, `detail, ${scheme}`);
    await picture(page, `request-${scheme}`);
    await page.keyboard.press("Escape");
  });

  test("managing access", async () => {
    const { page } = visitor;
    await page.getByRole("searchbox", { name: "Search" }).fill("huggingface");
    await until("only that", async () => {
      const texts = await rows(page).allTextContents();
      return texts.length > 1 && texts.slice(1).every((text) => text.includes("huggingface"));
    });
    await rows(page).nth(1).click();
    await page.getByRole("button", { name: "Manage access" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Allow just this path" }).click();
    await page.getByRole("dialog").locator(".preview-numbers").waitFor();
    await expectAccessible(page, `manage access, ${scheme}`);
    await picture(page, `access-${scheme}`);
    await page.keyboard.press("Escape");
    await until("it is closed", async () => (await page.getByRole("dialog").count()) === 0);
    await page.keyboard.press("Escape");
    await page.getByRole("searchbox", { name: "Search" }).fill("");
  });

  test.each([
    ["policy/enforce", "policy", ".rules"], ["policy/editor", "editor", ".editor"], ["policy/history", "history", ".history, .empty"], ["hardening", "hardening", ".group"],
  ])("%s", async (hash, name, ready) => {
    const { page } = visitor;
    await page.goto(`${stack.address}/#/${hash}`);
    await page.locator(ready).first().waitFor();
    await expectAccessible(page, `${name}, ${scheme}`);
    await picture(page, `${name}-${scheme}`);
  });

  test("each document", async () => {
    const { page } = visitor;
    await page.goto(`${stack.address}/#/help`);
    const documents = page.getByRole("navigation", { name: "Documents" }).getByRole("link");
    await documents.first().waitFor();
    for (const label of await documents.allTextContents()) {
      await documents.filter({ hasText: label }).click();
      await page.getByRole("navigation", { name: "Documents" }).locator("[aria-current=page]").filter({ hasText: label }).waitFor();
      await page.getByRole("article").getByRole("heading", { level: 1 }).waitFor();
      await expectAccessible(page, `document ${label}, ${scheme}`);
    }
  });
});

describe("a phone", () => {
  test("has everything, one thing at a time, without scrolling sideways", async () => {
    const { page } = visitor;
    await page.setViewportSize({ width: 390, height: 844 });
    // What sticks out at the right, where nothing may.
    const sticksOut = () =>
      page.evaluate(() => {
        if (document.documentElement.scrollWidth <= innerWidth) return [];
        return [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1).map((one) => `${one.tagName}.${one.className}`);
      });
    const fits = async (where: string) => {
      let last: string[] = [];
      await until("it fits", async () => (last = await sticksOut()).length === 0).catch(() => expect(last, where).toEqual([]));
    };
    await page.goto(`${stack.address}/#/traffic`);
    await rows(page).nth(2).waitFor();
    await fits("traffic");
    await expectAccessible(page, "traffic, phone");
    await picture(page, "phone-traffic");
    await page.getByRole("button", { name: /^Filters/ }).click();
    await page.getByLabel("Internet only").waitFor();
    await page.getByRole("button", { name: /^Filters/ }).click();
    await rows(page).filter({ hasText: "api.anthropic.com" }).first().click();
    const panel = page.getByRole("complementary", { name: "Request" });
    await panel.getByRole("table", { name: "Headers of the request" }).waitFor();
    const box = (await panel.boundingBox())!;
    expect(box.width).toBeGreaterThan(380);
    await fits("request");
    await expectAccessible(page, "detail, phone");
    await picture(page, "phone-request");
    await panel.getByRole("button", { name: "Close" }).click();
    for (const hash of ["policy/enforce", "policy/editor", "policy/history", "hardening"]) {
      await page.goto(`${stack.address}/#/${hash}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await fits(hash);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  });
});

describe("the keyboard alone", () => {
  test("signs in, searches, opens a request, allows its host and looks at the help", async () => {
    const typist = await Visitor.open();
    try {
      const { page } = typist;
      await stack.writePolicy("mode", "enforce\n");
      expect((await stack.agent(names.tools, "/by-keyboard")).status).toBe(403);
      await page.goto(`${stack.address}/`);
      await page.getByLabel("Token").waitFor();
      await until("the field has the focus", () => page.evaluate(() => document.activeElement?.id === "token"));
      await page.keyboard.type(await stack.token());
      await page.keyboard.press("Enter");
      await rows(page).nth(1).waitFor();
      // The page listens to keys a moment after it can be seen.
      await until("the search has the focus", async () => {
        if (await page.evaluate(() => document.activeElement?.id === "search")) return true;
        await page.keyboard.press("/");
        return false;
      });
      await page.keyboard.type(names.tools);
      await until("only that", async () => {
        const texts = await rows(page).allTextContents();
        return texts.length > 1 && texts.slice(1).every((text) => text.includes(names.tools));
      });
      await page.keyboard.press("Escape");
      const focus = () => page.evaluate(() => document.activeElement?.id ?? "");
      for (let at = 0; at < 60 && (await focus()) !== "rows"; at += 1) await page.keyboard.press("Tab");
      expect(await focus()).toBe("rows");
      // Where the focus is can be seen.
      expect(await page.getByRole("grid").evaluate((element) => getComputedStyle(element).outlineStyle)).not.toBe("none");
      await page.keyboard.press("Enter");
      await page.getByRole("complementary", { name: "Request" }).waitFor();
      await page.keyboard.press("a");
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Allow host" }).waitFor();
      const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
      for (let at = 0; at < 20 && (await focused()) !== "Allow host"; at += 1) await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await dialog.locator(".preview-numbers").waitFor();
      for (let at = 0; at < 20 && (await focused()) !== "Save"; at += 1) await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await until("the dialog is closed", async () => (await dialog.count()) === 0);
      expect((await stack.agent(names.tools, "/by-keyboard")).status).toBe(200);
      await page.keyboard.press("Escape");
      await page.keyboard.press("?");
      await page.getByRole("dialog").getByText("back to the newest").waitFor();
      await expectAccessible(page, "help");
      await page.keyboard.press("Escape");
      typist.expectNoTrouble();
    } finally {
      await typist.close();
    }
  });
});

test("the sign-in page is for everybody", async () => {
  const guest = await Visitor.open();
  try {
    await guest.page.goto(`${stack.address}/`);
    await guest.page.getByLabel("Token").waitFor();
    await expectAccessible(guest.page, "sign-in");
    await picture(guest.page, "sign-in");
    guest.expectNoTrouble();
  } finally {
    await guest.close();
  }
});

test("a console without sign-in says so in red", async () => {
  const open = await Stack.start({ auth: "off" });
  const guest = await Visitor.open();
  try {
    await guest.page.goto(`${open.address}/`);
    await guest.page.getByRole("alert").filter({ hasText: "Sign-in is off." }).waitFor();
    await guest.page.getByRole("grid").waitFor();
    await expectAccessible(guest.page, "sign-in off");
    guest.expectNoTrouble();
  } finally {
    await guest.close();
    await open.stop();
  }
});

test("nothing was refused by the content policy, thrown, or fetched from elsewhere", () => visitor.expectNoTrouble());
