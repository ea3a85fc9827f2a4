import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch, visit } from "./browser";
import { Gateway } from "./gateway";

const row = "[data-test=channel-row]";
const seen = "[data-test=look-row]";

let browser: Browser;
let gateway: Gateway;
let guarded: Gateway;

beforeAll(async () => {
  [browser, gateway, guarded] = await Promise.all([
    launch(),
    Gateway.start(),
    Gateway.start("a secret of at least thirty-two bytes"),
  ]);
});
afterAll(async () => {
  await browser.close();
  await Promise.all([gateway.stop(), guarded.stop()]);
});

/** Asks the server API as any backend does. */
async function ask(method: string, body: object): Promise<void> {
  const response = await fetch(`${gateway.url}magpie.v1.GatewayService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.text()).toBe(200);
}

const names = (page: Page) => page.locator(row).evaluateAll((rows) => rows.map((each) => (each as HTMLElement).dataset["channel"]));

it("lists the channels by pattern, with their rates, and looks into one live", async () => {
  for (const [channel, text] of [["order.update", "1"], ["order.paid", "2"], ["stock.level", "3"]] as const) {
    await ask("Publish", { channel, text });
  }
  const { page, faults } = await visit(browser, `${gateway.url}#/channels`);
  await page.locator(row, { hasText: "stock.level" }).waitFor();
  await page.fill("[data-test=pattern]", "order.*");
  await expect.poll(() => names(page)).toEqual(["order.paid", "order.update"]);
  await page.fill("[data-test=pattern]", "order..");
  await expect.poll(() => page.locator("[data-test=fault]").innerText()).toContain("order..");
  await page.fill("[data-test=pattern]", "order.*");

  for (let i = 0; i < 40; i++) await ask("Publish", { channel: "order.update", data: { i, amount: i * 10 }, key: `o${String(i)}`, tags: { region: "eu" } });
  await expect.poll(() => page.locator(`${row}[data-channel="order.update"] [data-test=rate]`).innerText(), { timeout: 5_000 }).toMatch(/[1-9]/);
  await page.click(`${row}[data-channel="order.update"]`);
  await page.locator(seen).last().waitFor();
  await expect.poll(() => page.locator(seen).last().innerText()).toContain('"i":39');
  await page.locator(seen).last().click();
  const detail = page.locator("[data-test=message-detail]");
  await expect.poll(() => detail.innerText()).toContain("region=eu");
  await detail.locator(".fold").first().click();
  await expect.poll(() => detail.innerText()).not.toContain('"amount"');

  await page.click("[data-test=pause]");
  await ask("Publish", { channel: "order.update", text: "while paused" });
  await expect.poll(() => page.locator("[data-test=pause]").innerText()).toContain("1 waiting");
  expect(await page.locator(seen, { hasText: "while paused" }).count()).toBe(0);
  await page.click("[data-test=pause]");
  await page.locator(seen, { hasText: "while paused" }).waitFor();
  // The browser writes down that the gateway refused the wrong pattern.
  expect(faults.filter((fault) => !fault.includes("status of 400"))).toEqual([]);
  await page.context().close();
});

it("publishes what the form says and shows the answer, and what is said stays text", async () => {
  const { page, faults } = await visit(browser, `${gateway.url}#/channels`);
  await page.fill("[data-test=pattern]", "form.channel");
  await page.press("[data-test=pattern]", "Enter");
  await page.fill("[data-test=payload]", "{oops");
  await page.click("[data-test=publish]");
  await expect.poll(() => page.locator("[data-test=answer]").innerText()).toContain("not JSON");
  await page.fill("[data-test=payload]", '{"a":"<img src=x onerror=alert(1)>"}');
  await page.fill("[data-test=key]", "k1");
  await page.fill("[data-test=tags]", "region=eu level=<b>");
  await page.click("[data-test=publish]");
  await expect.poll(() => page.locator("[data-test=answer]").innerText()).toContain("offset 1");
  await page.locator(seen, { hasText: "<img src=x onerror=alert(1)>" }).waitFor();
  await page.locator("[data-test=kind] select").selectOption("text");
  await page.fill("[data-test=payload]", "plain <b>text</b>");
  await page.click("[data-test=publish]");
  await page.locator(seen, { hasText: "plain <b>text</b>" }).waitFor();
  await page.locator(seen, { hasText: "plain <b>text</b>" }).click();
  expect(await page.locator("[data-test=channel-panel] img, [data-test=channel-panel] b").count()).toBe(0);
  expect(faults).toEqual([]);
  await page.context().close();
});

it("sends the filter with the look: it is applied, or the page says why not", async () => {
  for (const amount of [5, 500]) await ask("Publish", { channel: "filtered.orders", data: { amount } });
  const { page, faults } = await visit(browser, `${gateway.url}#/channels`);
  await page.fill("[data-test=pattern]", "filtered.orders");
  await page.press("[data-test=pattern]", "Enter");
  await expect.poll(() => page.locator(seen).count()).toBe(2);
  await page.fill("[data-test=look-filter]", "amount > 100");
  await page.click("[data-test=apply]");
  const refused = page.locator("[data-test=ended]");
  await expect.poll(async () => (await refused.count()) + (await page.locator(seen).count())).toBe(1);
  await page.fill("[data-test=look-filter]", "amount >");
  await page.click("[data-test=apply]");
  await refused.waitFor();
  await page.fill("[data-test=look-filter]", "");
  await page.click("[data-test=apply]");
  await expect.poll(() => page.locator(seen).count()).toBe(2);
  expect(faults).toEqual([]);
  await page.context().close();
});

it("says which right is missing, and lets one look where one may", async () => {
  const { page } = await visit(browser, `${guarded.url}#/channels`);
  await page.fill("[data-test=token]", guarded.token());
  await page.press("[data-test=token]", "Enter");
  await expect.poll(() => page.locator("[data-test=right-missing]").innerText()).toContain("sys.channels");
  await guarded.log({ message: "for those who may read" });
  await page.fill("[data-test=pattern]", "logs.local");
  await page.press("[data-test=pattern]", "Enter");
  await page.locator(seen, { hasText: "for those who may read" }).waitFor();
  await page.fill("[data-test=payload]", "1");
  await page.click("[data-test=publish]");
  await expect.poll(() => page.locator("[data-test=answer]").innerText()).toContain("permission_denied");
  await page.fill("[data-test=pattern]", "order.update");
  await page.press("[data-test=pattern]", "Enter");
  await expect.poll(() => page.locator("[data-test=ended]").innerText()).toContain("subscribe is missing");
  await page.context().close();
});

it("stays quick with 10,000 channels and 10,000 messages in a look", async () => {
  const channels = Array.from({ length: 10_000 }, (_, i) => `many.c${String(i).padStart(5, "0")}`);
  for (let i = 0; i < channels.length; i += 1_000) await ask("Broadcast", { channels: channels.slice(i, i + 1_000), text: "x" });
  const { page, faults } = await visit(browser, `${gateway.url}#/channels`);
  await page.fill("[data-test=pattern]", "many.*");
  await page.locator(`${row}[data-channel="many.c00000"]`).waitFor({ timeout: 20_000 });
  await expect.poll(() => page.locator("[data-test=total]").innerText(), { timeout: 20_000 }).toContain("10,000");
  expect(await page.locator(row).count()).toBeLessThan(100);
  const list = page.locator("[data-test=channels]");
  await list.evaluate((element) => {
    element.scrollTop = element.scrollHeight;
  });
  await page.locator(`${row}[data-channel="many.c09999"]`).waitFor();
  await page.click(`${row}[data-channel="many.c09999"]`);
  for (let i = 0; i < 10; i++) {
    await ask("Publish", { channel: "many.c09999", messages: Array.from({ length: 1_000 }, (_, j) => ({ data: { n: i * 1_000 + j } })) });
  }
  await page.locator(seen, { hasText: '"n":9999' }).waitFor({ timeout: 20_000 });
  expect(await page.locator(seen).count()).toBeLessThan(100);
  const before = Date.now();
  await page.locator(seen, { hasText: '"n":9999' }).click();
  await page.waitForSelector("[data-test=message-detail]");
  expect(Date.now() - before).toBeLessThan(1_000);
  expect(faults).toEqual([]);
  await page.context().close();
});
