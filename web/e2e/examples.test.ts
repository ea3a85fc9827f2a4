import type { Browser, BrowserContextOptions, Page, WebSocketRoute } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { launch } from "./browser";
import { Program } from "./program";

let browser: Browser;
let faults: string[] = [];

beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
});
beforeEach(() => {
  faults = [];
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  expect(faults).toEqual([]);
});

const sizes = [{ width: 1280, height: 800 }, { width: 390, height: 780 }];

/** A page of an example, and its lines to the gateway, the newest last. */
interface Visit {
  readonly page: Page;
  readonly lines: WebSocketRoute[];
}

/** Opens the page of an example in a session of its own. What goes wrong in it fails the test. */
async function open(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) faults.push(message.text());
  });
  page.on("dialog", (dialog) => {
    faults.push(`a script ran: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const lines: WebSocketRoute[] = [];
  await page.routeWebSocket(/\/ws$/, (line) => {
    line.connectToServer();
    lines.push(line);
  });
  await page.goto(url);
  return { page, lines };
}

/** Opens a page and signs in. */
async function enter(url: string, name: string, options?: BrowserContextOptions): Promise<Visit> {
  const visit = await open(url, options);
  await visit.page.fill("#name", name);
  await visit.page.click("#login button");
  await visit.page.locator("#state.live").waitFor();
  return visit;
}

/** Tells whether something is wider than the page. */
const wider = (page: Page): Promise<boolean> => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);

/** What somebody might say to have it run in the pages of others. */
const hostile = `<img src=x onerror="alert(1)"><script>alert(2)</script>`;

describe("the chat", () => {
  let chat: Program;
  beforeAll(async () => {
    chat = await Program.start("chat");
  });
  afterAll(() => chat.stop());

  async function say(page: Page, text: string): Promise<void> {
    await page.fill("#text", text);
    await page.press("#text", "Enter");
  }
  const said = (page: Page): Promise<string[]> => page.locator("#messages .bubble").allTextContents();

  it("shows what was said as text, once, and what was missed after a reconnect", async () => {
    const [ann, bob] = await Promise.all([enter(chat.url, "ann"), enter(chat.url, "bob")]);
    await say(ann.page, "hello");
    await say(ann.page, hostile);
    await expect.poll(() => said(bob.page)).toEqual(["hello", hostile]);
    expect(await bob.page.locator("#messages img, #messages script").count()).toBe(0);

    await bob.lines.at(-1)?.close({ code: 4002, reason: "idle" });
    await bob.page.locator("#state:not(.live)").waitFor();
    await say(ann.page, "while bob is away");
    await say(bob.page, "said without a line");
    await bob.page.locator("#messages .pending").waitFor();
    await bob.page.locator("#state.live").waitFor();
    const all = ["hello", hostile, "while bob is away", "said without a line"];
    await expect.poll(() => said(bob.page)).toEqual(all);
    await expect.poll(() => said(ann.page)).toEqual(all);
    expect(bob.lines).toHaveLength(2);
    expect(await bob.page.locator("#messages .pending, #messages .failed").count()).toBe(0);
  });

  it("counts what was said elsewhere, and opens other rooms", async () => {
    const [eve, fay] = await Promise.all([enter(chat.url, "eve"), enter(chat.url, "fay")]);
    for (const { page } of [eve, fay]) {
      await page.fill("#another", "attic");
      await page.press("#another", "Enter");
    }
    await eve.page.locator("#rooms .room", { hasText: "kitchen" }).click();
    await say(fay.page, "up here");
    await expect.poll(() => eve.page.locator("#rooms .room", { hasText: "attic" }).textContent()).toBe("attic1");
    await eve.page.locator("#rooms .room", { hasText: "attic" }).click();
    await expect.poll(() => said(eve.page)).toEqual(["up here"]);
  });

  it("has a name for one only, until it is left", async () => {
    const gus = await enter(chat.url, "gus");
    const other = await open(chat.url);
    await other.page.fill("#name", "Gus");
    await other.page.click("#login button");
    await other.page.locator("#refused", { hasText: "taken" }).waitFor();
    await gus.page.click("#leave");
    await gus.page.locator("#login").waitFor();
    await other.page.click("#login button");
    await other.page.locator("#state.live").waitFor();
  });

  it.each(sizes)("fits at $width", async (viewport) => {
    const { page } = await enter(chat.url, `wide${String(viewport.width)}`, { viewport });
    await say(page, "a".repeat(500));
    await page.locator("#messages .bubble").last().waitFor();
    expect(await wider(page)).toBe(false);
  });
});

describe("the stock", () => {
  let stock: Program;
  beforeAll(async () => {
    stock = await Program.start("nethttp");
  });
  afterAll(() => stock.stop());

  const item = (page: Page, name: string) => page.locator("#items li", { hasText: name });

  it("shows changes, and asks on all pages of the user and on no others", async () => {
    const [desk, phone, bob] = await Promise.all([enter(stock.url, "ann"), enter(stock.url, "ann"), enter(stock.url, "bob")]);
    await bob.page.getByLabel("Take one of Rope, 20 m").click();
    await item(desk.page, "Rope").locator("output", { hasText: "6" }).waitFor();

    await desk.page.getByLabel("Throw away Paper lantern").click();
    await desk.page.locator("dialog", { hasText: "Throw away 12 × Paper lantern?" }).waitFor();
    await phone.page.locator("dialog .danger").click();
    await desk.page.locator("dialog").waitFor({ state: "detached" });
    for (const { page } of [desk, phone, bob]) await item(page, "Paper lantern").waitFor({ state: "detached" });
    expect(await bob.page.locator("dialog").count()).toBe(0);

    await desk.page.getByLabel("Throw away Bridge plank").click();
    await desk.page.locator("dialog").waitFor();
    await desk.page.keyboard.press("Escape");
    await desk.page.locator("#events .failed", { hasText: "you said no" }).waitFor();
    await phone.page.locator("dialog").waitFor({ state: "detached" });
    expect(await item(bob.page, "Bridge plank").count()).toBe(1);
  });

  it("shows names as text, and what changed while the line was away", async () => {
    const [cid, dot] = await Promise.all([enter(stock.url, "cid"), enter(stock.url, "dot")]);
    await item(dot.page, "Bridge plank").waitFor();
    await dot.lines.at(-1)?.close({ code: 4002, reason: "idle" });
    await dot.page.locator("#state:not(.live)").waitFor();
    await cid.page.fill("#what", hostile);
    await cid.page.click("#add button");
    await item(dot.page, "onerror").waitFor();
    expect(await dot.page.locator("#items .what", { hasText: "onerror" }).textContent()).toBe(hostile);
    expect(await dot.page.locator("main img").count()).toBe(0);
    expect(dot.lines).toHaveLength(2);
  });

  it.each(sizes)("fits at $width", async (viewport) => {
    const { page } = await enter(stock.url, "eve", { viewport });
    await item(page, "Bridge plank").waitFor();
    expect(await wider(page)).toBe(false);
  });
});

describe("the Gin application", () => {
  let gin: Program;
  beforeAll(async () => {
    gin = await Program.start("gin");
  });
  afterAll(() => gin.stop());

  it.each(sizes)("shows both ways at $width", async (viewport) => {
    const { page } = await open(gin.url, { viewport });
    for (const side of ["#old", "#new"]) await page.locator(`${side} output`, { hasText: /^2\d{3}\.\d\d$/ }).waitFor();
    const requests = (side: string): Promise<number> => page.locator(`${side} .requests`).textContent().then(Number);
    await expect.poll(() => requests("#old"), { timeout: 10_000 }).toBeGreaterThan(2);
    expect(await requests("#new")).toBe(1);
    expect(await page.locator("#new .missed").textContent()).toMatch(/^0 of/);
    expect(await wider(page)).toBe(false);
  });
});
