// An operator watches what agents do.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Visitor } from "./support/browser";
import { bigBodyPath, seedLines } from "./support/seed";
import { names, Stack } from "./support/stack";
import { until } from "./support/wait";

let stack: Stack;
let visitor: Visitor;

beforeAll(async () => {
  stack = await Stack.start({ seed: seedLines(2500, Date.now() / 1000) });
  visitor = await Visitor.open();
});

afterAll(async () => {
  await visitor?.close();
  await stack?.stop();
});

const rows = () => visitor.page.getByRole("grid").getByRole("row");
const search = () => visitor.page.getByRole("searchbox", { name: "Search" });

describe("signing in", () => {
  test("a wrong token is told, and nothing is shown", async () => {
    const { page } = visitor;
    await page.goto(`${stack.address}/`);
    await page.getByLabel("Token").fill("not the token");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    expect(await page.getByRole("grid").count()).toBe(0);
  });

  test("the token that leashctl prints opens the page, and a reload keeps it open", async () => {
    const { page } = visitor;
    await visitor.signIn(stack);
    await page.reload();
    await page.getByRole("grid").waitFor();
    await rows().nth(1).waitFor();
  });
});

describe("the list", () => {
  test("shows an agent's requests as they happen", async () => {
    const { page } = visitor;
    await page.getByText("live", { exact: true }).waitFor();
    expect((await stack.agent(names.model, "/v1/models?live=1")).status).toBe(200);
    expect((await stack.agent(names.denied, "/upload")).status).toBe(403);
    const allowed = rows().filter({ hasText: "/v1/models?live=1" });
    await allowed.waitFor();
    expect(await allowed.textContent()).toContain("allowed");
    const blocked = rows().filter({ hasText: names.denied });
    await blocked.first().waitFor();
    expect(await blocked.first().textContent()).toContain("not_in_allowlist");
    expect(await blocked.first().getAttribute("class")).toContain("tone-blocked");
  });

  test("draws only what is seen, down to the oldest line", async () => {
    const { page } = visitor;
    expect(await rows().count()).toBeLessThan(80);
    const grid = page.getByRole("grid");
    // Pages are fetched as the list is scrolled.
    await until("the end of the list", async () => {
      await grid.evaluate((element) => (element.scrollTop = element.scrollHeight));
      return (await grid.getAttribute("aria-rowcount")) !== "-1";
    });
    await until("the last row", async () => Number(await rows().last().getAttribute("aria-rowindex")) > 2400);
    expect(await rows().count()).toBeLessThan(80);
    await page.getByText("held while you read").waitFor();
    await grid.focus();
    await page.keyboard.press("Home");
    await page.getByText("live", { exact: true }).waitFor();
  });

  test("waits while a request is open, and says how many are new", async () => {
    const { page } = visitor;
    await rows().filter({ hasText: names.model }).first().click();
    await page.getByRole("complementary", { name: "Request" }).waitFor();
    await stack.agent(names.model, "/v1/while-reading");
    const pill = page.getByRole("button", { name: /\d+ new/ });
    await pill.waitFor();
    expect(await rows().filter({ hasText: "/v1/while-reading" }).count()).toBe(0);
    await pill.click();
    await rows().filter({ hasText: "/v1/while-reading" }).waitFor();
  });

  test("can be paused", async () => {
    const { page } = visitor;
    await page.getByRole("button", { name: "Pause" }).click();
    await stack.agent(names.model, "/v1/while-paused");
    await page.getByRole("button", { name: /\d+ new/ }).waitFor();
    expect(await rows().filter({ hasText: "/v1/while-paused" }).count()).toBe(0);
    await page.getByRole("button", { name: "Go on" }).click();
    await rows().filter({ hasText: "/v1/while-paused" }).waitFor();
  });
});

describe("filters", () => {
  test("search finds by any part of the URL, and stands in the address", async () => {
    const { page } = visitor;
    await search().fill("requests-2.32");
    await until("only what fits", async () => {
      const texts = await rows().allTextContents();
      return texts.length > 2 && texts.slice(1).every((text) => text.includes("requests-2.32"));
    });
    expect(page.url()).toContain("q=requests-2.32");
    await page.reload();
    expect(await search().inputValue()).toBe("requests-2.32");
    await page.getByRole("button", { name: "Clear filters" }).first().click();
    await until("all again", async () => (await rows().filter({ hasText: names.model }).count()) > 0);
    expect(page.url()).not.toContain("q=");
  });

  test("verdicts narrow the list", async () => {
    const { page } = visitor;
    await page.getByRole("button", { name: /^Blocked/ }).click();
    await until("blocked rows only", async () => {
      const classes = await rows().evaluateAll((all) => all.slice(1).map((row) => row.className));
      return classes.length > 1 && classes.every((name) => name.includes("tone-blocked"));
    });
    await page.getByRole("button", { name: /^All\b/ }).click();
    await until("others again", async () => (await page.locator(".row.tone-allowed").count()) > 0);
  });

  test("a host is hidden by a pill that stays, and shown again", async () => {
    const { page } = visitor;
    const field = page.getByRole("textbox", { name: "Hide host" });
    await field.fill("API.anthropic.com");
    await field.press("Enter");
    const anthropic = rows().filter({ hasText: "api.anthropic.com" });
    await until("it is gone", async () => (await anthropic.count()) === 0 && (await rows().count()) > 2);
    await page.reload();
    await rows().nth(1).waitFor();
    expect(await anthropic.count()).toBe(0);
    await page.getByRole("button", { name: "Show api.anthropic.com again" }).click();
    await until("it is back", async () => (await anthropic.count()) > 0);
  });

  test("a top host is one click", async () => {
    const { page } = visitor;
    const item = page.getByRole("region", { name: "Top hosts" }).getByRole("button", { name: /^github\.com/ });
    await item.click();
    await until("only that host", async () => {
      const texts = await rows().allTextContents();
      return texts.length > 2 && texts.slice(1).every((text) => text.includes("github.com"));
    });
    await page.getByRole("button", { name: "Clear filters" }).first().click();
  });

  test("dragging over the chart zooms, Back goes back", async () => {
    const { page } = visitor;
    const plot = page.locator(".chart .u-over");
    const box = (await plot.boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.4, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 30, { steps: 4 });
    await page.mouse.up();
    await until("a range in the address", () => page.url().includes("before="));
    await page.getByText("a range in the past").waitFor();
    await until("fewer rows", async () => {
      const last = await rows().last().getAttribute("aria-rowindex");
      return Number(last) > 1 && (await rows().filter({ hasText: names.model }).count()) === 0;
    });
    await page.goBack();
    await page.getByText("live", { exact: true }).waitFor();
  });

  test("sorting by status and back", async () => {
    const { page } = visitor;
    await page.getByRole("button", { name: "Status" }).click();
    await page.getByText(/sorted among the/).waitFor();
    expect(await page.getByRole("columnheader", { name: "Status" }).getAttribute("aria-sort")).toBe("ascending");
    await page.getByRole("button", { name: "Time" }).click();
    await page.getByText("live", { exact: true }).waitFor();
  });
});

describe("an open request", () => {
  const panel = () => visitor.page.getByRole("complementary", { name: "Request" });

  test("shows both sides, the six names, sizes and the rule that decided", async () => {
    const { page } = visitor;
    await stack.agent(names.model, "/v1/models?open=1", ["-H", "Authorization: Bearer sk-secret", "-H", "X-Note: hello", "-d", '{"prompt":"hi","n":[1,2]}', "-H", "Content-Type: application/json"]);
    await rows().filter({ hasText: "/v1/models?open=1" }).click();
    await panel().getByRole("table", { name: "Headers of the request" }).waitFor();
    const text = (await panel().textContent())!.replace("X-Note", "x-note");
    for (const part of ["CONNECT target", "SNI", "Host / :authority", "Address dialled", "ALPN with origin", "Origin certificate", `127.0.0.1:${stack.origin.port}`, "x-note", "hello", "application/json"]) expect(text).toContain(part);
    expect(text).not.toContain("sk-secret");
    expect(await panel().getByRole("group", { name: "Body of the request" }).textContent()).toContain('"prompt": "hi"');
    expect(await panel().getByRole("group", { name: "Body of the response" }).textContent()).toContain('"context": 1000000');
    await panel().getByRole("link", { name: /enforce\.yaml/ }).click();
    await page.getByRole("rowheader", { name: names.model }).waitFor();
    expect(await page.locator("tr.is-wanted").textContent()).toContain(names.model);
    await page.goBack();
    await page.getByRole("grid").waitFor();
  });

  test("a redirect shows where to, the log's lines are there as they are", async () => {
    const { page } = visitor;
    // A page that is shown anew listens to keys a moment after it can be seen.
    await until("it is closed", async () => {
      await page.keyboard.press("Escape");
      return (await panel().count()) === 0;
    });
    await stack.agent(names.model, "/moved");
    await rows().filter({ hasText: "/moved" }).click();
    await panel().getByText("/elsewhere").first().waitFor();
    await panel().getByRole("tab", { name: /Log lines/ }).click();
    expect(await panel().getByRole("tabpanel").textContent()).toContain('"chain"');
    await panel().getByRole("tab", { name: "Request" }).click();
    await page.keyboard.press("Escape");
    await until("it is closed", async () => (await panel().count()) === 0);
  });

  test("a body of a megabyte is drawn line by line", async () => {
    const { page } = visitor;
    await search().fill(bigBodyPath);
    const row = rows().filter({ hasText: bigBodyPath });
    await until("only that row", async () => (await rows().count()) === 2 && (await row.count()) === 1);
    await row.click();
    const body = panel().getByRole("group", { name: "Body of the request" });
    await body.waitFor();
    expect(await body.textContent()).toContain('"messages": [');
    expect(await body.locator(".code-line").count()).toBeLessThan(100);
    await body.evaluate((element) => (element.scrollTop = element.scrollHeight));
    await until("its end", async () => /message \d{4}/.test((await body.textContent()) ?? ""));
    expect(await body.locator(".code-line").count()).toBeLessThan(100);
    await panel().getByText(/body truncated at \d+ KB/).waitFor();
    expect(await panel().getByRole("group", { name: "Body of the response" }).textContent()).toContain("event: message_start");
    // Secrets that an older log holds are masked on the screen until somebody wants to see them.
    expect(await panel().textContent()).not.toContain("shown-only-when-asked");
    await page.getByRole("button", { name: "Redact secrets" }).click();
    await panel().getByText("Bearer shown-only-when-asked").waitFor();
    await page.getByRole("button", { name: "Redact secrets" }).click();
    await page.keyboard.press("Escape");
    await search().fill("");
  });

  test("text of a stranger stays text", async () => {
    const { page } = visitor;
    await search().fill("xss.example");
    const row = rows().filter({ hasText: "xss.example" });
    await until("only that row", async () => (await rows().count()) === 2 && (await row.count()) === 1);
    expect(await row.textContent()).toContain("<script>");
    await row.click();
    const body = panel().getByRole("group", { name: "Body of the request" });
    await body.waitFor();
    expect(await body.textContent()).toContain("<svg onload");
    expect(await panel().textContent()).toContain("\\u202edekcah");
    expect(await page.evaluate(() => (window as unknown as { pwned?: number }).pwned)).toBeUndefined();
    expect(await page.locator("svg[onload], img[onerror], #app script").count()).toBe(0);
    await page.keyboard.press("Escape");
    await search().fill("");
  });
});

test("a file of what is shown can be had", async () => {
  const { page } = visitor;
  await page.getByRole("button", { name: "Export" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /NDJSON/ }).click()]);
  expect(download.suggestedFilename()).toMatch(/\.ndjson$/);
});

test("signing out closes the page", async () => {
  const { page } = visitor;
  await page.getByRole("button", { name: /^Sign out/ }).click();
  await page.getByLabel("Token").waitFor();
  await page.reload();
  await page.getByLabel("Token").waitFor();
  expect(await page.getByRole("grid").count()).toBe(0);
});

test("nothing was refused by the content policy, thrown, or fetched from elsewhere", () => visitor.expectNoTrouble());
