import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch, visit } from "./browser";
import { Gateway } from "./gateway";

let browser: Browser;
let gateway: Gateway;

beforeAll(async () => {
  [browser, gateway] = await Promise.all([launch(), Gateway.start("a secret of at least thirty-two bytes")]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

it("asks for a token, tells of a bad one, and keeps a good one in the tab alone", async () => {
  const { page, faults } = await visit(browser, gateway.url);
  const banner = page.locator("[data-test=banner]");
  await expect.poll(() => banner.innerText()).toContain("asks for a token");
  await page.fill("[data-test=token]", "wrong");
  await page.press("[data-test=token]", "Enter");
  await expect.poll(() => banner.innerText()).toContain("The token was refused");
  await page.fill("[data-test=token]", gateway.token());
  await page.press("[data-test=token]", "Enter");
  await banner.waitFor({ state: "detached" });
  await gateway.log({ message: "for those who may read" });
  await page.locator("[data-test=record]", { hasText: "for those who may read" }).waitFor();
  await page.reload();
  await page.locator("[data-test=record]", { hasText: "for those who may read" }).waitFor();
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage }))).not.toContain("token");
  const other = await page.context().newPage();
  await other.goto(gateway.url);
  await other.locator("[data-test=token]").waitFor();
  expect(faults).toEqual([]);
});
