import { describe, expect, it, vi } from "vitest";
import type { MagpieError } from "../src/index.js";
import type { FakeSocket } from "./fakeGateway.js";
import { connect, type Harness, harness, useFakeClock } from "./harness.js";

useFakeClock();

function watch(h: Harness, channel: string) {
  const offsets: number[] = [];
  const ends: MagpieError[] = [];
  const subscription = h.client.subscribe(channel, {
    onMessage: ({ offset }) => offsets.push(offset),
    onEnd: (error) => ends.push(error),
  });
  return { subscription, offsets, ends };
}

function subscribed(socket: FakeSocket, channel: string, offset: number, requestId?: string): void {
  const position = { epoch: "k1", offset };
  socket.receive({ type: "subscribed", requestId, channel, position, tail: offset, recovered: true });
}

function message(socket: FakeSocket, channel: string, offset: number): void {
  socket.receive({ type: "message", channel, offset, timestamp: 1, data: offset });
}

/** Opens a line whose session can be resumed, with a subscription that stands at 42. */
async function opened() {
  const h = harness();
  const watched = watch(h, "a");
  const socket = await connect(h, "secret");
  subscribed(socket, "a", 41, socket.last("subscribe").requestId);
  message(socket, "a", 42);
  return { h, socket, ...watched };
}

async function again(h: Harness, resumed: boolean, code = 1006): Promise<FakeSocket> {
  h.gateway.socket.end(code);
  await vi.advanceTimersByTimeAsync(1_000);
  return h.gateway.accept("secret", resumed);
}

describe("a client that comes back", () => {
  it("goes on with its session and does not subscribe again", async () => {
    const { h, offsets, subscription } = await opened();
    const socket = await again(h, true);
    expect(socket.last("connect").resume).toEqual({ token: "secret", positions: { a: { epoch: "k1", offset: 42 } } });
    expect(socket.all("subscribe")).toHaveLength(0);
    expect(subscription.active).toBe(false);
    subscribed(socket, "a", 42);
    expect(subscription.active).toBe(true);
    message(socket, "a", 43);
    expect(offsets).toEqual([42, 43]);
  });

  it("subscribes by itself where the session is gone", async () => {
    const { h, offsets } = await opened();
    const socket = await again(h, false);
    const frame = socket.last("subscribe");
    expect(frame.from).toEqual({ epoch: "k1", offset: 42 });
    subscribed(socket, "a", 42, frame.requestId);
    message(socket, "a", 43);
    expect(offsets).toEqual([42, 43]);
  });

  it("asks for what it wants since then, and closes what it does not want any more", async () => {
    const { h, subscription } = await opened();
    h.gateway.socket.end(1006);
    subscription.close();
    watch(h, "b");
    await vi.advanceTimersByTimeAsync(1_000);
    const socket = h.gateway.accept("secret", true);
    expect(socket.all("subscribe").map(({ channel }) => channel)).toEqual(["b"]);
    subscribed(socket, "a", 42);
    expect(socket.last("unsubscribe").channel).toBe("a");
  });

  it("hears that a right is gone", async () => {
    const { h, ends } = await opened();
    const socket = await again(h, true);
    socket.receive({ type: "unsubscribed", channel: "a", code: "permission_denied", reason: "no right" });
    expect(ends.map(({ code }) => code)).toEqual(["permission_denied"]);
  });

  it("tries again where a channel is away for now", async () => {
    const { h, ends } = await opened();
    const socket = await again(h, true);
    socket.receive({ type: "unsubscribed", channel: "a", code: "unavailable", reason: "the disk is full" });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(socket.last("subscribe").from).toEqual({ epoch: "k1", offset: 42 });
    expect(ends).toEqual([]);
  });

  it("does not take its session back from another line", async () => {
    const { h } = await opened();
    const socket = await again(h, false, 4009);
    expect(socket.last("connect").resume).toBeUndefined();
  });

  it("begins anew after it was closed", async () => {
    const { h } = await opened();
    h.client.close();
    expect((await connect(h)).last("connect").resume).toBeUndefined();
  });

  it("sends no more positions than fit into a frame", async () => {
    const h = harness();
    const channels = Array.from({ length: 1_000 }, (_, i) => `t.${"x".repeat(200)}${String(i)}`);
    for (const channel of channels) watch(h, channel);
    const first = await connect(h, "secret");
    for (const { channel, requestId } of first.all("subscribe")) subscribed(first, channel, 1, requestId);
    const socket = await again(h, true);
    const carried = Object.keys(socket.last("connect").resume?.positions ?? {});
    expect(JSON.stringify(socket.last("connect")).length).toBeLessThan(64 * 1024);
    expect(carried.length).toBeGreaterThan(50);
    const asked = socket.all("subscribe").map(({ channel }) => channel);
    expect([...carried, ...asked].sort()).toEqual([...channels].sort());
  });
});
