// An operator decides: access, mode, policy text, suggestions, and taking it back.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Visitor } from "./support/browser";
import { names, Stack } from "./support/stack";
import { until } from "./support/wait";

let stack: Stack;
let visitor: Visitor;

beforeAll(async () => {
  stack = await Stack.start();
  visitor = await Visitor.open();
  await visitor.signIn(stack);
});

afterAll(async () => {
  await visitor?.close();
  await stack?.stop();
});

const rows = () => visitor.page.getByRole("grid").getByRole("row");
const dialog = () => visitor.page.getByRole("dialog");
const tab = (name: string) => visitor.page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
const policyTab = (name: RegExp) => visitor.page.getByRole("navigation", { name: "Policy" }).getByRole("link", { name }).click();

describe("managing access", () => {
  test("a blocked host is allowed for an hour, with its effect shown first, and the agent's next request passes", async () => {
    const { page } = visitor;
    expect((await stack.agent(names.tools, "/first")).status).toBe(403);
    await rows().filter({ hasText: names.tools }).first().click();
    await page.getByRole("button", { name: "Manage access" }).click();
    const enforce = dialog().getByRole("region", { name: "Enforce list" });
    await enforce.getByText("not in the list").waitFor();
    await enforce.getByText("in force").waitFor();
    await enforce.getByRole("button", { name: "Allow host" }).click();
    const preview = dialog().getByRole("region", { name: "Preview" });
    await preview.getByText("newly allowed", { exact: false }).first().waitFor();
    expect(Number(await preview.locator(".preview-numbers b").first().textContent())).toBeGreaterThan(0);
    expect((await stack.agent(names.tools, "/still")).status).toBe(403);
    await dialog().getByRole("radio", { name: "for an hour" }).click();
    await dialog().getByLabel("Reason").fill("the agent's tools");
    await dialog().getByRole("button", { name: "Save" }).click();
    await until("the dialog is closed", async () => (await dialog().count()) === 0);
    expect((await stack.agent(names.tools, "/second")).status).toBe(200);
    const text = await stack.policyFile("enforce.yaml");
    expect(text).toContain("the agent's tools");
    expect(text).toContain("expires:");
    expect(text).toContain("# what agents may reach");
  });
});

describe("history", () => {
  test("shows who changed what; undo takes it back, and the agent is stopped again", async () => {
    const { page } = visitor;
    await page.keyboard.press("Escape");
    await tab("Policy");
    await policyTab(/History/);
    const changes = page.getByRole("region", { name: "History" }).getByRole("listitem");
    const ours = changes.filter({ hasText: "the agent's tools" }).first();
    await ours.waitFor();
    expect(await ours.textContent()).toMatch(/enforce\.yaml.*operator/s);
    expect((await stack.agent(names.tools, "/before-undo")).status).toBe(200);
    await ours.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Undo change" }).click();
    await until("the rule is gone", async () => !(await stack.policyFile("enforce.yaml")).includes("the agent's tools"));
    expect((await stack.agent(names.tools, "/after-undo")).status).toBe(403);
  });
});

describe("rules", () => {
  test("just one path of a host", async () => {
    const { page } = visitor;
    expect((await stack.agent(names.denied, "/api/read/1")).status).toBe(403);
    await policyTab(/Enforce list/);
    await page.getByRole("button", { name: "Add rule" }).click();
    await dialog().getByLabel("Host").fill(names.denied);
    await dialog().getByLabel("Port").fill(String(stack.origin.port));
    await dialog().getByLabel("Method").fill("get");
    await dialog().getByLabel("Path prefix").fill("/api/read/");
    await dialog().getByLabel("Path prefix").press("Tab");
    await dialog().getByRole("region", { name: "Enforce list" }).getByRole("button", { name: "Allow just this path" }).click();
    await dialog().getByRole("button", { name: "Save" }).click();
    await page.getByRole("rowheader", { name: names.denied }).waitFor();
    expect((await stack.agent(names.denied, "/api/read/1")).status).toBe(200);
    expect((await stack.agent(names.denied, "/api/write")).status).toBe(403);
  });

  test("a rule is removed", async () => {
    const { page } = visitor;
    await page.getByRole("button", { name: `Manage access to ${names.denied}` }).click();
    await dialog().getByRole("region", { name: "Enforce list" }).getByRole("button", { name: "Remove host" }).click();
    await dialog().getByRole("button", { name: "Save" }).click();
    await until("the rule is gone", async () => (await page.getByRole("rowheader", { name: names.denied }).count()) === 0);
    expect((await stack.agent(names.denied, "/api/read/1")).status).toBe(403);
  });
});

describe("the mode", () => {
  test("audit is asked about, lets pass and marks; enforce needs no question", async () => {
    const { page } = visitor;
    await tab("Traffic");
    await page.getByRole("radio", { name: "Audit" }).click();
    const question = page.getByRole("alertdialog");
    await question.getByRole("button", { name: "Cancel" }).click();
    expect((await stack.policyFile("mode")).trim()).toBe("enforce");
    await page.getByRole("radio", { name: "Audit" }).click();
    await question.getByRole("button", { name: "Switch to audit" }).click();
    await page.getByText("Audit mode.").waitFor();
    await until("the title says so", async () => (await page.title()) === "leash · AUDIT MODE");
    expect((await stack.agent(names.tools, "/in-audit")).status).toBe(200);
    const row = rows().filter({ hasText: "/in-audit" });
    await row.waitFor();
    expect(await row.textContent()).toContain("would block");
    await rows().filter({ hasText: "audit" }).filter({ hasText: "mode changed" }).first().waitFor();
  });

  test("suggestions become rules, and enforce lets pass what was accepted", async () => {
    const { page } = visitor;
    await tab("Hardening");
    const group = page.getByRole("region", { name: "example.net" });
    await group.waitFor();
    await page.getByRole("meter").waitFor();
    await group.getByRole("checkbox").first().check();
    await page.getByRole("button", { name: /^Accept \d+ selected/ }).click();
    await until("the rule is saved", async () => (await stack.policyFile("enforce.yaml")).includes(names.tools));
    await page.getByRole("radio", { name: "Enforce" }).click();
    await until("enforce is on", async () => (await stack.policyFile("mode")).trim() === "enforce");
    expect((await stack.agent(names.tools, "/in-audit")).status).toBe(200);
  });

  test("a change outside the console shows by itself", async () => {
    const { page } = visitor;
    await tab("Traffic");
    await stack.writePolicy("mode", "blocklist\n");
    await page.getByText("Blocklist mode.").waitFor();
    expect(await page.getByRole("radio", { name: "Blocklist" }).getAttribute("aria-checked")).toBe("true");
    await page.getByRole("radio", { name: "Enforce" }).click();
    await until("enforce is on", async () => (await stack.policyFile("mode")).trim() === "enforce");
  });
});

describe("the policy's text", () => {
  test("has the loader's findings by line before it is saved", async () => {
    const { page } = visitor;
    await tab("Policy");
    await policyTab(/YAML/);
    const editor = page.getByRole("textbox", { name: "Text of enforce.yaml" });
    const before = await editor.inputValue();
    expect(before).toBe(await stack.policyFile("enforce.yaml"));
    await editor.fill(`${before}  - host: typo.example\n    prots: [443]\n`);
    const findings = page.getByRole("region", { name: "Findings" });
    await findings.getByText("prots").waitFor();
    await page.locator(".gutter .number.error, .gutter .number.warning").first().waitFor();
    await editor.fill(`${before}  - host: fine.example\n    reason: "written by hand"\n`);
    await findings.getByText(/None/).waitFor();
    await page.getByRole("button", { name: "Preview and save" }).click();
    expect(await dialog().getByRole("group", { name: "Changes" }).textContent()).toContain("fine.example");
    await dialog().getByRole("button", { name: "Save", exact: true }).click();
    await until("it is saved", async () => (await stack.policyFile("enforce.yaml")).includes("written by hand"));
    await until("the dialog is closed", async () => (await dialog().count()) === 0);
  });

  test("is not overwritten when somebody else was faster", async () => {
    const { page } = visitor;
    const editor = page.getByRole("textbox", { name: "Text of enforce.yaml" });
    await until("the saved text is there", async () => (await editor.inputValue()) === (await stack.policyFile("enforce.yaml")));
    const text = await editor.inputValue();
    await editor.fill(`${text}  - host: mine.example\n`);
    await stack.writePolicy("enforce.yaml", `${text}  - host: theirs.example\n`);
    await page.getByRole("button", { name: "Preview and save" }).click();
    await dialog().getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("changed meanwhile").waitFor();
    expect(await stack.policyFile("enforce.yaml")).toContain("theirs.example");
    await page.getByRole("button", { name: "Take theirs" }).click();
    await until("their text is there", async () => (await editor.inputValue()).includes("theirs.example"));
  });
});

test("a viewer sees all and can change nothing", async () => {
  const viewer = await Visitor.open();
  try {
    await viewer.signIn(stack, "viewer");
    const { page } = viewer;
    await page.getByRole("grid").getByRole("row").nth(1).click();
    await page.getByRole("complementary", { name: "Request" }).waitFor();
    expect(await page.getByRole("radio").count()).toBe(0);
    for (const name of [/Manage access/, /Clear log/]) expect(await page.getByRole("button", { name }).count()).toBe(0);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Policy" }).click();
    await page.getByRole("rowheader").first().waitFor();
    for (const name of [/Add rule/, /Manage/]) expect(await page.getByRole("button", { name }).count()).toBe(0);
    await page.getByRole("navigation", { name: "Policy" }).getByRole("link", { name: /YAML/ }).click();
    expect(await page.getByRole("textbox", { name: "Text of enforce.yaml" }).getAttribute("readonly")).not.toBeNull();
    await page.getByRole("navigation", { name: "Policy" }).getByRole("link", { name: "History" }).click();
    await page.getByRole("region", { name: "History" }).getByRole("listitem").first().waitFor();
    expect(await page.getByRole("button", { name: "Undo" }).count()).toBe(0);
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Hardening" }).click();
    await page.getByRole("heading", { name: "Hardening" }).waitFor();
    expect(await page.getByRole("button", { name: /Accept/ }).count()).toBe(0);
    viewer.expectNoTrouble();
  } finally {
    await viewer.close();
  }
});

test("nothing was refused by the content policy, thrown, or fetched from elsewhere", () => visitor.expectNoTrouble());
