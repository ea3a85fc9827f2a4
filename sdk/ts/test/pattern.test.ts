import { describe, expect, it, vi } from "vitest";
import { covers } from "../src/pattern.js";
import type { MagpieError, SubscribeOptions, SubscribedFrame } from "../src/index.js";
import type { FakeSocket } from "./fakeGateway.js";
import { connect, type Harness, harness, reconnect, useFakeClock } from "./harness.js";

useFakeClock();

const pattern = "order.*";

function watch(h: Harness, options: Partial<SubscribeOptions> = {}) {
  const heard: string[] = [];
  const errors: MagpieError[] = [];
  const joins: SubscribedFrame[] = [];
  const subscription = h.client.subscribe(pattern, {
    onMessage: ({ channel, offset }) => heard.push(`${channel} ${String(offset)}`),
    onGap: ({ channel, reason }) => heard.push(`${channel} ${reason}`),
    onPosition: ({ offset }, channel) => heard.push(`${channel} to ${String(offset)}`),
    onSubscribed: (frame) => joins.push(frame),
    onError: (error) => errors.push(error),
    ...options,
  });
  return { subscription, heard, errors, joins };
}

function subscribed(socket: FakeSocket): void {
  const { requestId } = socket.last("subscribe");
  socket.receive({ type: "subscribed", requestId, channel: pattern, position: { epoch: "", offset: 0 }, tail: 0, recovered: false });
}

function join(socket: FakeSocket, channel: string, offset: number, by = pattern): void {
  socket.receive({ type: "subscribed", channel, position: { epoch: "k1", offset }, tail: 99, recovered: true, pattern: by });
}

function message(socket: FakeSocket, channel: string, ...offsets: number[]): void {
  for (const offset of offsets) socket.receive({ type: "message", channel, offset, timestamp: 1, data: offset });
}

describe("a subscription to a pattern", () => {
  it("delivers each channel that has joined, once and in order", async () => {
    const h = harness();
    const { subscription, heard, errors, joins } = watch(h, { from: { last: 1 } });
    const socket = await connect(h);
    expect(socket.last("subscribe")).toMatchObject({ channel: pattern, from: { last: 1 } });
    subscribed(socket);
    join(socket, "order.a", 4);
    message(socket, "order.a", 5);
    join(socket, "order.b", 0);
    message(socket, "order.b", 1);
    message(socket, "price.a", 1);
    message(socket, "order.a", 5, 8);
    socket.receive({ type: "gap", channel: "order.b", epoch: "k1", fromOffset: 2, toOffset: 3, reason: "retention" });
    socket.receive({ type: "position", channel: "order.b", position: { epoch: "k1", offset: 7 } });
    message(socket, "order.b", 8);
    expect(heard).toEqual(["order.a 5", "order.b 1", "order.a 8", "order.b retention", "order.b to 7", "order.b 8"]);
    expect(subscription.positions).toEqual({ "order.a": { epoch: "k1", offset: 8 }, "order.b": { epoch: "k1", offset: 8 } });
    expect(subscription.duplicates).toBe(1);
    expect(errors.map((error) => error.code)).toEqual(["data_loss"]);
    expect(joins.map((frame) => frame.channel)).toEqual([pattern, "order.a", "order.b"]);
    subscription.close();
    expect(socket.last("unsubscribe").channel).toBe(pattern);
    message(socket, "order.a", 9);
    expect(heard).toHaveLength(6);
  });

  it("goes on from the position of each channel, and begins new ones with their first message", async () => {
    const h = harness();
    const { heard, errors } = watch(h);
    const first = await connect(h);
    subscribed(first);
    join(first, "order.a", 4);
    message(first, "order.a", 5);
    const second = await reconnect(h);
    expect(second.last("subscribe")).toMatchObject({
      from: { offset: 0 },
      positions: { "order.a": { epoch: "k1", offset: 5 } },
    });
    message(second, "order.a", 6); // of before the pattern was begun anew
    subscribed(second);
    join(second, "order.a", 5);
    message(second, "order.a", 6);
    join(second, "order.new", 0);
    message(second, "order.new", 1);
    expect(heard).toEqual(["order.a 5", "order.a 6", "order.new 1"]);
    expect(errors).toEqual([]);
  });

  it("begins anew in a session that was resumed", async () => {
    const h = harness();
    const { heard } = watch(h);
    const first = await connect(h, "secret");
    subscribed(first);
    join(first, "order.a", 5);
    first.end();
    await vi.advanceTimersByTimeAsync(1_000);
    const second = h.gateway.accept("secret", true);
    expect(second.last("connect").resume?.positions).toEqual({});
    expect(second.frames.map((frame) => frame.type)).toEqual(["connect", "unsubscribe", "subscribe"]);
    join(second, "order.a", 9); // unasked, and not from where it stands here
    message(second, "order.a", 10);
    subscribed(second);
    join(second, "order.a", 5);
    message(second, "order.a", 6);
    expect(heard).toEqual(["order.a 6"]);
  });

  it("begins with positions that were saved, and drops what is repeated", async () => {
    const h = harness();
    const positions = { "order.a": { epoch: "k1", offset: 5 } };
    const { heard } = watch(h, { from: { offset: 0 }, positions });
    const socket = await connect(h);
    expect(socket.last("subscribe")).toMatchObject({ from: { offset: 0 }, positions });
    subscribed(socket);
    join(socket, "order.a", 0);
    message(socket, "order.a", 1, 2, 3, 4, 5, 6);
    expect(heard).toEqual(["order.a 6"]);
  });

  it("stands beside a subscription to one of its channels", async () => {
    const h = harness();
    const { heard } = watch(h);
    const own: number[] = [];
    h.client.subscribe("order.a", { onMessage: ({ offset }) => own.push(offset) });
    const socket = await connect(h);
    const asked = socket.all("subscribe");
    expect(asked.map((frame) => frame.channel)).toEqual([pattern, "order.a"]);
    for (const { requestId, channel } of asked) {
      socket.receive({ type: "subscribed", requestId, channel, position: { epoch: "k1", offset: 0 }, tail: 0, recovered: false });
    }
    message(socket, "order.a", 1);
    join(socket, "order.a", 1);
    message(socket, "order.a", 2);
    expect(own).toEqual([1, 2]);
    expect(heard).toEqual(["order.a 2"]);
  });

  it("hears of a channel that it does not have", async () => {
    const h = harness();
    const { heard, errors } = watch(h);
    const socket = await connect(h);
    subscribed(socket);
    join(socket, "order.a", 0);
    for (const channel of ["order.a", "order.full", "price.full"]) {
      socket.receive({ type: "unsubscribed", channel, code: "resource_exhausted", reason: "no room" });
    }
    message(socket, "order.a", 1);
    expect(heard).toEqual([]);
    expect(errors.map((error) => error.message)).toEqual(["order.a: no room", "order.full: no room"]);
  });
});

describe("a pattern", () => {
  it.each([
    ["order.*", "order.a", true],
    ["order.*", "order", false],
    ["order.*", "order.a.b", false],
    ["*.a", "order.a", true],
    ["*.a", "order.b", false],
    ["order.>", "order.a", true],
    ["order.>", "order.a.b", true],
    ["order.>", "order", false],
    [">", "order", true],
    ["order.a", "order.a", true],
  ])("%s covers %s: %s", (text, channel, want) => {
    expect(covers(text, channel)).toBe(want);
  });
});
