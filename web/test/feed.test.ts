import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LogFeed } from "../src/logs/feed";
import { LogStore } from "../src/logs/store";
import { FakeLine } from "./fakeClient";

const channel = "logs.local";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function connected() {
  const line = new FakeLine();
  const feed = new LogFeed(line.client, channel, () => undefined, new LogStore(100));
  line.client.connect();
  await vi.advanceTimersByTimeAsync(0);
  line.accept();
  return { line, feed };
}

async function rows({ store }: LogFeed): Promise<(string | number | undefined)[]> {
  await vi.advanceTimersByTimeAsync(100);
  return Array.from({ length: store.view.length }, (_, index) => {
    const row = store.row(index);
    return row?.kind === "event" ? row.event.type : row?.offset;
  });
}

it("reads the newest records first and goes on", async () => {
  const { line, feed } = await connected();
  expect(line.last("subscribe").from).toEqual({ last: 1_000 });
  line.subscribed(4);
  for (const offset of [5, 6]) line.receive({ type: "message", channel, offset, timestamp: 1, data: {} });
  expect(await rows(feed)).toEqual(["subscribed", 5, 6]);
});

it("writes one outage as one, and says what it cost", async () => {
  const { line, feed } = await connected();
  line.subscribed(0);
  line.receive({ type: "message", channel, offset: 1, timestamp: 1, data: {} });
  line.end(1006);
  await vi.advanceTimersByTimeAsync(1_000);
  line.end(1006);
  await vi.advanceTimersByTimeAsync(1_000);
  line.accept();
  line.subscribed(1, "k1");
  line.receive({ type: "gap", channel, epoch: "k1", fromOffset: 2, toOffset: 9, reason: "retention" });
  line.receive({ type: "message", channel, offset: 10, timestamp: 1, data: {} });
  expect(await rows(feed)).toEqual(["subscribed", 1, "lost", "restored", "gap", 10]);
  const restored = feed.store.row(3);
  expect(restored?.kind === "event" && restored.event).toMatchObject({ type: "restored", downMs: 2_000, offset: 1 });
});

it("says why it was closed, and that the subscription was refused", async () => {
  const { line, feed } = await connected();
  const { requestId } = line.last("subscribe");
  line.receive({ type: "error", requestId, error: { code: "permission_denied", message: "not yours" } });
  line.end(4503, "disconnected by an operator");
  expect(await rows(feed)).toEqual(["ended", "closed"]);
});

it("counts the rate of what is new only", async () => {
  const { line, feed } = await connected();
  const { requestId } = line.last("subscribe");
  line.receive({ type: "subscribed", requestId, channel, position: { epoch: "k", offset: 0 }, tail: 2, recovered: false });
  for (let offset = 1; offset <= 5; offset++) line.receive({ type: "message", channel, offset, timestamp: 1, data: {} });
  expect(feed.store.rate.history(performance.now()).reduce((sum, count) => sum + count)).toBe(3);
});

it("leaves the channel when it is closed", async () => {
  const { line, feed } = await connected();
  line.subscribed(0);
  feed.close();
  expect(line.last("unsubscribe").channel).toBe(channel);
  line.receive({ type: "message", channel, offset: 1, timestamp: 1, data: {} });
  line.end(1006);
  expect(await rows(feed)).toEqual([]);
});
