import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch, visit } from "./browser";
import { Gateway } from "./gateway";

const message = "[data-test=message]";

/** The rooms tell who is in them, but for one. */
const config = `namespaces:
  - {name: silent, pattern: chat.silent}
  - {name: chat, pattern: chat.*, presence: true}
presence: {grace: 100ms}
`;

let browser: Browser;
let gateway: Gateway;

beforeAll(async () => {
  [browser, gateway] = await Promise.all([launch(), Gateway.start(undefined, config)]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

async function enter(name: string, room: string): Promise<Page> {
  const { page } = await visit(browser, `${gateway.url}#/chat`);
  await page.fill("[data-test=name]", name);
  await join(page, room);
  return page;
}

async function join(page: Page, room: string): Promise<void> {
  await page.fill("[data-test=join]", room);
  await page.press("[data-test=join]", "Enter");
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("[data-test=text]", text);
  await page.press("[data-test=text]", "Enter");
}

const open = (page: Page, room: string) => page.click(`[data-test=room][data-room=${room}]`);
const unread = (page: Page, room: string) =>
  page.locator(`[data-test=room][data-room=${room}] [data-test=unread]`).allInnerTexts();

it("keeps rooms apart, counts what was not seen, and draws the line at the place", async () => {
  const ann = await enter("Ann", "ops");
  const bo = await enter("Bo", "ops");
  await say(bo, "seen in ops");
  await ann.locator(message, { hasText: "seen in ops" }).waitFor();
  expect(await unread(ann, "ops")).toEqual([]);
  await open(ann, "lobby");
  expect(await ann.locator(message).count()).toBe(0);
  await say(bo, "first unseen");
  await say(bo, "second unseen");
  await expect.poll(() => unread(ann, "ops")).toEqual(["2"]);

  // The device remembers the room, and how far it was read.
  await ann.reload();
  await expect.poll(() => unread(ann, "ops")).toEqual(["2"]);
  await open(ann, "ops");
  await ann.waitForSelector("[data-test=new-line]");
  const lines = await ann.locator(".entries > li").evaluateAll((rows) =>
    rows.map((row) => (row as HTMLElement).dataset["test"] === "new-line" ? "new" : (row.querySelector(".text")?.textContent ?? "day")));
  expect(lines.slice(lines.indexOf("new"))).toEqual(["new", "first unseen", "second unseen"]);
  await expect.poll(() => unread(ann, "ops")).toEqual([]);
  await ann.reload();
  await open(ann, "ops");
  await ann.locator(message, { hasText: "second unseen" }).waitFor();
  expect(await ann.locator("[data-test=new-line]").count()).toBe(0);

  await ann.click("[data-test=leave]");
  expect(await ann.locator("[data-test=room]").count()).toBe(1);
  await join(ann, "no <b>room</b>");
  await expect.poll(() => ann.locator("[data-test=rooms]").innerText()).toContain("letters, digits");
  await Promise.all([ann.context().close(), bo.context().close()]);
});

it("shows who is typing, until the message comes or some seconds have passed", async () => {
  const ann = await enter("Ann", "typing");
  const bo = await enter("<b>Bo</b>", "typing");
  const typing = ann.locator("[data-test=typing]");
  await bo.locator("[data-test=text]").pressSequentially("hel", { delay: 20 });
  await expect.poll(() => typing.innerText()).toBe("Typing: <b>Bo</b>");
  expect(await bo.locator("[data-test=typing]").innerText()).toBe("");
  await say(bo, "hello");
  await ann.locator(message, { hasText: "hello" }).waitFor();
  await expect.poll(() => typing.innerText(), { timeout: 1_000 }).toBe("");
  await bo.locator("[data-test=text]").pressSequentially("x");
  await expect.poll(() => typing.innerText()).toContain("Bo");
  await expect.poll(() => typing.innerText(), { timeout: 8_000 }).toBe("");
  await Promise.all([ann.context().close(), bo.context().close()]);
});

it("shows who is in a room where the gateway tells, by the names that they go by", async () => {
  const ann = await enter("Ann", "people");
  const bo = await enter("<b>Bo</b>", "people");
  const members = (page: Page) => page.locator("[data-test=member]").allInnerTexts();
  await say(ann, "I am Ann");
  await say(bo, "I am Bo");
  await expect.poll(() => members(ann)).toEqual(["<b>Bo</b>", "Ann"]);
  expect(await ann.locator("[data-test=members]").innerText()).toContain("2 here");
  await bo.context().close();
  await expect.poll(() => members(ann), { timeout: 10_000 }).toEqual(["Ann"]);
  await join(ann, "silent");
  await expect.poll(() => ann.locator("[data-test=members]").count()).toBe(0);
  await ann.context().close();
});
