import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch, visit } from "./browser";
import { Gateway } from "./gateway";
import { shopDay } from "./shop";

const folder = fileURLToPath(new URL("shots/", import.meta.url));

let browser: Browser;
let gateway: Gateway;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  [browser, gateway] = await Promise.all([launch(), Gateway.start(undefined, "namespaces: [{name: chat, pattern: chat.*, presence: true}]")]);
  await gateway.log(...shopDay(240, Date.now()));
  const { page } = await visit(browser, `${gateway.url}#/chat`);
  for (const [name, text] of [
    ["Ann", "Rolling out order 2.14 now, one node after the other."],
    ["Ann", "Please keep an eye on the payment errors."],
    ["陈波", "好的，我在看日志。目前没有异常。"],
    ["Marta", "p99 of the checkout is at 80 ms, that is where it was yesterday."],
  ] as const) {
    await page.fill("[data-test=name]", name);
    await page.fill("[data-test=text]", text);
    await page.press("[data-test=text]", "Enter");
    await page.locator("[data-test=message]", { hasText: text }).waitFor();
  }
  for (const room of ["ops", "release-2026-11"]) {
    await page.fill("[data-test=join]", room);
    await page.press("[data-test=join]", "Enter");
    await page.fill("[data-test=text]", `Hello, ${room}.`);
    await page.press("[data-test=text]", "Enter");
    await page.locator("[data-test=message]", { hasText: `Hello, ${room}.` }).waitFor();
  }
  await page.context().close();
  for (let i = 1; i <= 60; i++) await publish(["order.update", "order.paid", "stock.level", "user.ann"][i % 4] ?? "", i);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

/** Publishes an order as a backend does. */
async function publish(channel: string, n: number): Promise<void> {
  const data = { order: `A-${String(4_100 + n)}`, status: "paid", amount: n * 7.5, items: [{ sku: "tea-oolong", count: n }] };
  await fetch(`${gateway.url}magpie.v1.GatewayService/Publish`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channel, key: `A-${String(4_100 + n)}`, tags: { region: n % 2 === 0 ? "eu" : "ap" }, data }),
  });
}

/** Names the elements that are wider than the page, or whose words do not fit. */
function clipped(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("header *, .banner *, .toolbar *, .levels *, .status *, .composer *, .panel *, .entries *, .heads *, .bar *, .publish *, .join *, .note")]
      .filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        const cut = getComputedStyle(element).overflow !== "visible" && element.scrollWidth > element.clientWidth + 1;
        return width > 1 && (left < -0.5 || right > window.innerWidth + 0.5 || cut);
      })
      .map((element) => `${element.tagName} ${element.className} ${element.innerText.slice(0, 30)}`),
  );
}

const sizes = [["1440", { width: 1440, height: 900 }], ["390", { width: 390, height: 844 }]] as const;
const looks = sizes.flatMap(([size, viewport]) =>
  (["light", "dark"] as const).flatMap((colorScheme) =>
    (["en-GB", "zh-CN"] as const).map((locale) => ({ name: `${size}-${colorScheme}-${locale}`, viewport, colorScheme, locale })),
  ),
);

describe.each(looks)("at $name", ({ name, ...options }) => {
  it("nothing is clipped on the logs page", async () => {
    const { page, faults } = await visit(browser, gateway.url, options);
    await page.locator("[data-test=record]").first().waitFor();
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${folder}logs-${name}.png` });
    expect(await clipped(page)).toEqual([]);
    await page.locator("[data-test=record].error").last().click();
    await page.waitForSelector("[data-test=panel]");
    await page.screenshot({ path: `${folder}record-${name}.png` });
    expect(await clipped(page)).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("nothing is clipped on the channels page", async () => {
    const { page, faults } = await visit(browser, `${gateway.url}#/channels`, options);
    await page.locator("[data-channel='order.update']").waitFor();
    await Promise.all([61, 62, 63, 64].map((n) => publish("order.update", n)));
    await page.waitForTimeout(2_300);
    await page.screenshot({ path: `${folder}channels-${name}.png` });
    expect(await clipped(page)).toEqual([]);
    await page.click("[data-channel='order.update']");
    await page.locator("[data-test=look-row]").last().click();
    await page.fill("[data-test=payload]", '{"order": "A-1"}');
    await page.click("[data-test=publish]");
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${folder}channel-${name}.png` });
    expect(await clipped(page)).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("nothing is clipped on the chat page", async () => {
    const { page, faults } = await visit(browser, `${gateway.url}#/chat`, options);
    await page.locator("[data-test=message]").first().waitFor();
    // As on a device that joined a room, read it in part, and is in another one now.
    await page.evaluate(() => {
      localStorage.setItem("magpie.chat.rooms", JSON.stringify(["chat.ops", "chat.release-2026-11"]));
      const read = JSON.parse(localStorage.getItem("magpie.chat.read.chat.lobby") ?? "{}") as { epoch: string };
      localStorage.setItem("magpie.chat.read.chat.lobby", JSON.stringify({ epoch: read.epoch, offset: 2 }));
      localStorage.setItem("magpie.chat.read.chat.ops", JSON.stringify({ epoch: "other", offset: 0 }));
    });
    await page.reload();
    await page.locator("[data-test=new-line]").waitFor();
    await page.waitForSelector("[data-test=members]");
    await page.locator("[data-test=message]").first().waitFor();
    await page.screenshot({ path: `${folder}chat-${name}.png` });
    expect(await clipped(page)).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
