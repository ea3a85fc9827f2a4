import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch, visit } from "./browser";
import { Gateway } from "./gateway";

const message = "[data-test=message]";

let browser: Browser;
let gateway: Gateway;

beforeAll(async () => {
  [browser, gateway] = await Promise.all([launch(), Gateway.start()]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

async function enter(name: string) {
  const { page, faults } = await visit(browser, `${gateway.url}#/chat`);
  await page.fill("[data-test=name]", name);
  return { page, faults };
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("[data-test=text]", text);
  await page.press("[data-test=text]", "Enter");
}

it("lets two tabs talk, marks one's own messages, and sends once what an outage held up", async () => {
  const ann = await enter("Ann");
  const bo = await enter("Bo");
  await say(ann.page, "hello <b>Bo</b>");
  await bo.page.locator(message, { hasText: "hello <b>Bo</b>" }).waitFor();
  await say(bo.page, "你好 Ann");
  await ann.page.locator(message, { hasText: "你好 Ann" }).waitFor();
  const owns = (page: Page) => page.locator(message).evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset["own"]));
  expect(await owns(ann.page)).toEqual(["true", "false"]);
  expect(await owns(bo.page)).toEqual(["false", "true"]);

  // A newcomer reads what was said, and the name is remembered.
  await ann.page.reload();
  await ann.page.locator(message, { hasText: "你好 Ann" }).waitFor();
  expect(await ann.page.inputValue("[data-test=name]")).toBe("Ann");
  expect(await owns(ann.page)).toEqual(["true", "false"]);

  await gateway.kill();
  await ann.page.waitForSelector("[data-test=banner]");
  await say(ann.page, "are you there?");
  await ann.page.locator(message, { hasText: "Waiting for the connection" }).waitFor();
  await gateway.run();
  await ann.page.locator("[data-test=reconnect]").click({ timeout: 35_000 });
  await bo.page.locator("[data-test=reconnect]").click({ timeout: 35_000 });
  await bo.page.locator(message, { hasText: "are you there?" }).waitFor();
  await expect.poll(() => ann.page.locator(message, { hasText: "are you there?" }).count()).toBe(1);
  expect([...ann.faults, ...bo.faults]).toEqual([]);
});
