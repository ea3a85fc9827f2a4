import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { launch } from "./browser";
import { Gateway } from "./gateway";
import { sessionOf, tab } from "./tab";

let browser: Browser;
let gateway: Gateway;

beforeAll(async () => {
  [browser, gateway] = await Promise.all([launch(), Gateway.start()]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});
beforeEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

it("serves a method from a tab, again after an outage, and no more once that is closed", async () => {
  const server = await tab(browser, gateway);
  const caller = await tab(browser, gateway);
  await server.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const sum = async ({ data, caller, progress }: import("@magpie-bridge/client").CallRequest) => {
          if (!Array.isArray(data)) throw new Magpie.MagpieError("invalid_argument", "no numbers", { details: [1] });
          let total = 0;
          for (const n of data as number[]) await progress({ data: (total += n) });
          return { data: total, meta: { user: caller.userId ?? "" } };
        };
        globalThis.service = client.serve("math.sum", sum, { concurrency: 2, onServed: resolve });
      }),
  );
  const numbers = Array.from({ length: 50 }, (_, i) => i);
  const sum = () =>
    caller.evaluate(async (data) => {
      const parts: unknown[] = [];
      const reply = await client.call("math.sum", { data }, { onProgress: (part) => parts.push(part.data) });
      return { total: reply.data, meta: reply.meta, parts };
    }, numbers);
  const code = () => caller.evaluate(() => client.call("math.sum").then(() => "", (error: { code: string }) => error.code));

  let running = 0;
  expect(await sum()).toEqual({ total: 1225, meta: { user: "dev" }, parts: numbers.map((n) => (running += n)) });
  expect(await code()).toBe("invalid_argument");

  await gateway.kill();
  await gateway.run();
  // Whichever of the two is back first: a call waits for its own line, and hears that nobody serves the method before.
  await expect.poll(code, { timeout: 30_000 }).toBe("invalid_argument");
  expect(await sum()).toMatchObject({ total: 1225 });

  await server.evaluate(() => service.close());
  expect(await code()).toBe("not_found");
});

it("answers what is meant for one tab, for its user, and for all", async () => {
  const tabs = await Promise.all([tab(browser, gateway), tab(browser, gateway), tab(browser, gateway)]);
  const [asker, knowing, ignorant] = tabs;
  const [, session] = await Promise.all(tabs.map(sessionOf));
  await knowing.evaluate(() => {
    client.handle("ui.confirm", ({ data }) => ({ data: `${String(data)} yes` }));
  });
  const ask = (to: string, answers?: "all") =>
    asker.evaluate(
      async ([to, answers]) => {
        const reply = await client.call("ui.confirm", { data: "Sure?" }, { to, answers, timeoutMs: 10_000 });
        return { data: reply.data, asked: reply.asked, answers: reply.answers?.map(({ data, error }) => data ?? error?.code) };
      },
      [to, answers] as const,
    );
  expect(await ask(`session:${session ?? ""}`)).toMatchObject({ data: "Sure? yes" });
  expect(await ask("user:dev")).toMatchObject({ data: "Sure? yes" });
  const all = await ask("user:dev", "all");
  expect(all.asked).toBe(all.answers?.length);
  expect(all.answers).toEqual(expect.arrayContaining(["Sure? yes", "unimplemented"]));

  for (const page of [knowing, ignorant]) {
    await page.evaluate(
      () => new Promise<void>((resolve) => {
        client.subscribe("room.7", { onMessage: () => undefined, onSubscribed: () => { resolve(); } });
      }),
    );
  }
  const members = await ask("channel:room.7");
  expect(members.asked).toBe(2);
  expect(new Set(members.answers)).toEqual(new Set(["Sure? yes", "unimplemented"]));
});

it("tells a handler that nobody waits any more", async () => {
  const server = await tab(browser, gateway);
  const caller = await tab(browser, gateway);
  const session = await sessionOf(server);
  await server.evaluate(() => {
    client.handle("job.run", ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          seen.push((signal.reason as { code: string }).code);
          resolve({});
        });
      }),
    );
  });
  const reasons = () => server.evaluate(() => seen);
  const end = await caller.evaluate(async (to) => {
    const abort = new AbortController();
    const result = client.call("job.run", {}, { to, signal: abort.signal });
    setTimeout(() => { abort.abort(); }, 200);
    return result.catch((error: { code: string }) => error.code);
  }, `session:${session}`);
  expect(end).toBe("canceled");
  await expect.poll(reasons).toEqual(["canceled"]);

  const late = await caller.evaluate(
    (to) => client.call("job.run", {}, { to, timeoutMs: 300 }).catch((error: { code: string }) => error.code),
    `session:${session}`,
  );
  expect(late).toBe("deadline_exceeded");
  await expect.poll(async () => (await reasons()).length).toBe(2);

  // The caller leaves altogether.
  await caller.evaluate((to) => { client.call("job.run", {}, { to }).catch(() => undefined); }, `session:${session}`);
  await caller.close();
  await expect.poll(reasons).toEqual(["canceled", expect.stringMatching(/canceled|deadline_exceeded/), "canceled"]);
});

it("takes a subscription that a backend opened, and hears of its end", async () => {
  const page = await tab(browser, gateway);
  const sessionId = await sessionOf(page);
  await page.evaluate(() => {
    client.onSubscription((offer) => {
      if (!offer.channel.startsWith("order.")) return;
      offer.accept({
        onMessage: ({ channel, data }) => seen.push([channel, data ?? null]),
        onEnd: ({ message }) => seen.push(message),
      });
    });
  });
  const ask = async <T = unknown>(procedure: string, body: object): Promise<T> => {
    const answer = await fetch(`${gateway.url}magpie.v1.GatewayService/${procedure}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return (await answer.json()) as T;
  };
  expect(await ask("Subscribe", { sessionId, channel: "order.update" })).toEqual({ sessions: 1 });
  expect(await ask("Subscribe", { sessionId, channel: "stock.update" })).toEqual({ sessions: 1 });
  await ask("Publish", { channel: "order.update", data: 7 });
  const reports = () => page.evaluate(() => seen);
  await expect.poll(reports).toEqual([["order.update", 7]]);
  // What nobody accepted is closed again.
  await expect.poll(async () => (await ask<{ sessions?: unknown[] }>("Sessions", { channel: "stock.update" })).sessions ?? []).toEqual([]);
  expect(await ask("Unsubscribe", { sessionId, channel: "order.update", reason: "sold out" })).toEqual({ sessions: 1 });
  await expect.poll(reports).toEqual([["order.update", 7], "sold out"]);
});
