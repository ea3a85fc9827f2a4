// The pieces of TypeScript in docs/guides/calls.md: test/docs finds each of them here.
import { expect, it } from "vitest";
import { type Client, MagpieError, type Service } from "../src/index.js";
import { connect, harness, settle, useFakeClock } from "./harness.js";

useFakeClock();

interface Order {
  readonly sku: string;
  readonly count: number;
}

function orderOf(data: unknown): Order {
  if (typeof data === "object" && data !== null && "sku" in data && "count" in data) {
    const { sku, count } = data;
    if (typeof sku === "string" && typeof count === "number") return { sku, count };
  }
  throw new MagpieError("invalid_argument", "an order has a sku and a count");
}

function serve(client: Client): Service {
  const prices = new Map([["lantern", 1299], ["rope", 450]]);
  return client.serve("pricing.quote", async ({ data, progress }) => {
    const { sku, count } = orderOf(data); // or a MagpieError, invalid_argument
    await progress({ text: `looking for a ${sku}` });
    const cents = prices.get(sku);
    if (cents === undefined) throw new MagpieError("not_found", `there is no ${sku}`);
    return { data: { cents: cents * count } };
  }, { concurrency: 8 });
}

it("serves", async () => {
  const h = harness();
  const service = serve(h.client);
  const socket = await connect(h);
  const { requestId, method, concurrency } = socket.last("serve");
  expect(concurrency).toBe(8);
  socket.receive({ type: "served", requestId, method });
  expect(service.active).toBe(true);
  socket.receive({ type: "call", requestId: "s1", method, data: { sku: "lantern", count: 3 } });
  await settle();
  expect(socket.last("progress")).toMatchObject({ requestId: "s1", text: "looking for a lantern" });
  expect(socket.last("reply")).toMatchObject({ requestId: "s1", data: { cents: 3897 } });
  socket.receive({ type: "call", requestId: "s2", method, data: { sku: "bridge", count: 1 } });
  await settle();
  expect(socket.last("error")).toMatchObject({ requestId: "s2", error: { code: "not_found" } });
  socket.receive({ type: "call", requestId: "s3", method, data: "a lantern" });
  await settle();
  expect(socket.last("error")).toMatchObject({ requestId: "s3", error: { code: "invalid_argument" } });
});

it("answers what is directed at it", async () => {
  const h = harness();
  const { client } = h;
  const ask = (question: string): boolean => question === "Pay now?";
  client.handle("ui.confirm", ({ data }) => ({ data: ask(String(data)) }));
  const socket = await connect(h);
  socket.receive({ type: "call", requestId: "s1", method: "ui.confirm", data: "Pay now?" });
  await settle();
  expect(socket.last("reply")).toMatchObject({ requestId: "s1", data: true });
});

it("calls", async () => {
  const h = harness();
  const { client } = h;
  const socket = await connect(h);
  const seen: unknown[] = [];
  const print = (what: unknown): void => { seen.push(what); };
  async function quote(stop: AbortSignal): Promise<void> {
    const reply = await client.call("pricing.quote", { data: { sku: "lantern", count: 3 } }, {
      timeoutMs: 3_000,
      signal: stop, // cancels the call
      onProgress: (part) => { print(part.text); },
    });
    print(reply.data);
  }
  const done = quote(new AbortController().signal);
  const { requestId, timeoutMs } = socket.last("call");
  expect(timeoutMs).toBe(3_000);
  socket.receive({ type: "progress", requestId, text: "looking for a lantern" });
  socket.receive({ type: "reply", requestId, data: { cents: 3897 } });
  await done;
  expect(seen).toEqual(["looking for a lantern", { cents: 3897 }]);
});

it("asks all", async () => {
  const h = harness();
  const { client } = h;
  const socket = await connect(h);
  async function vote(): Promise<string> {
    const { asked, answers = [] } = await client.call("ui.vote", { data: "lunch?" }, { to: "channel:room.7", timeoutMs: 10_000 });
    const yes = answers.filter(({ data }) => data === true).length;
    return `${String(yes)} of ${String(asked)}`;
  }
  const result = vote();
  const { requestId, to } = socket.last("call");
  expect(to).toBe("channel:room.7");
  socket.receive({
    type: "reply", requestId, asked: 3,
    answers: [{ userId: "ann", sessionId: "1", data: true }, { userId: "bob", sessionId: "2", data: false }],
  });
  await expect(result).resolves.toBe("1 of 3");
});
