import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ChannelLook, historyMessages, maxEntries } from "../src/channels/look";
import { FakeLine } from "./fakeClient";

const channel = "order.update";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function opened(filter = "") {
  const line = new FakeLine();
  const look = new ChannelLook(line.client, channel, filter);
  line.client.connect();
  await vi.advanceTimersByTimeAsync(0);
  line.accept();
  const say = (offset: number) => {
    line.receive({ type: "message", channel, offset, timestamp: 1, data: offset });
  };
  const offsets = async () => {
    await vi.advanceTimersByTimeAsync(100);
    return look.view.value.entries.map((entry) => (entry.kind === "message" ? entry.frame.offset : "gap"));
  };
  return { line, look, say, offsets };
}

it("begins with the last messages, goes on live, and shows gaps", async () => {
  const { line, look, say, offsets } = await opened();
  expect(line.last("subscribe")).toMatchObject({ from: { last: historyMessages } });
  expect(line.last("subscribe").filter).toBeUndefined();
  line.subscribed(0);
  say(1);
  line.receive({ type: "gap", channel, epoch: "k1", fromOffset: 2, toOffset: 3, reason: "retention" });
  say(4);
  expect(await offsets()).toEqual([1, "gap", 4]);
  expect(look.view.value.live).toBe(true);
});

it("holds back what comes while it is paused", async () => {
  const { line, look, say, offsets } = await opened();
  line.subscribed(0);
  say(1);
  await offsets();
  look.pause();
  say(2);
  say(3);
  expect(await offsets()).toEqual([1]);
  expect(look.view.value.waiting).toBe(2);
  look.resume();
  expect(await offsets()).toEqual([1, 2, 3]);
  expect(look.view.value.waiting).toBe(0);
});

it("sends the filter, and tells why it was refused", async () => {
  const { line, look } = await opened("amount > 100");
  const { requestId, filter } = line.last("subscribe");
  expect(filter).toBe("amount > 100");
  line.receive({ type: "error", requestId, error: { code: "unimplemented", message: "no filters here" } });
  await vi.advanceTimersByTimeAsync(100);
  expect(look.view.value.ended?.code).toBe("unimplemented");
  // The channel is free for another look.
  const other = new ChannelLook(line.client, channel, "");
  expect(line.last("subscribe").filter).toBeUndefined();
  other.close();
});

it("shows no more than it holds", async () => {
  const { line, say, offsets } = await opened();
  line.subscribed(0);
  for (let offset = 1; offset <= 2 * maxEntries + 7; offset++) say(offset);
  const shown = await offsets();
  expect([shown.length, shown[0], shown.at(-1)]).toEqual([maxEntries, maxEntries + 8, 2 * maxEntries + 7]);
});
