import { describe, expect, it, vi } from "vitest";
import type { GapFrame, MagpieError, Start } from "../src/index.js";
import type { FakeSocket } from "./fakeGateway.js";
import { connect, type Harness, harness, reconnect, useFakeClock } from "./harness.js";

useFakeClock();

const channel = "order.update";

interface Watched {
  readonly offsets: number[];
  readonly gaps: GapFrame[];
  readonly errors: MagpieError[];
  readonly ends: MagpieError[];
}

function watch(h: Harness, from?: Start) {
  const seen: Watched = { offsets: [], gaps: [], errors: [], ends: [] };
  const subscription = h.client.subscribe(channel, {
    from,
    onMessage: ({ offset }) => seen.offsets.push(offset),
    onGap: (gap) => seen.gaps.push(gap),
    onError: (error) => seen.errors.push(error),
    onEnd: (error) => seen.ends.push(error),
  });
  return { subscription, seen };
}

function subscribed(socket: FakeSocket, offset: number, { epoch = "k1", recovered = true } = {}): void {
  const { requestId } = socket.last("subscribe");
  socket.receive({ type: "subscribed", requestId, channel, position: { epoch, offset }, tail: offset, recovered });
}

function messages(socket: FakeSocket, ...offsets: number[]): void {
  for (const offset of offsets) socket.receive({ type: "message", channel, offset, timestamp: 1, data: offset });
}

describe("a subscription", () => {
  it("begins where the program says and goes on from its own position", async () => {
    const h = harness();
    const { subscription, seen } = watch(h, { last: 10 });
    const first = await connect(h);
    expect(first.last("subscribe").from).toEqual({ last: 10 });
    subscribed(first, 40);
    messages(first, 41, 42);
    const second = await reconnect(h);
    expect(second.last("subscribe").from).toEqual({ epoch: "k1", offset: 42 });
    expect(subscription.active).toBe(false);
    subscribed(second, 42);
    messages(second, 43);
    expect(seen.offsets).toEqual([41, 42, 43]);
    expect(seen.errors).toEqual([]);
  });

  it("keeps the position the gateway named, before any message came", async () => {
    const h = harness();
    watch(h, { last: 5 });
    subscribed(await connect(h), 95);
    expect((await reconnect(h)).last("subscribe").from).toEqual({ epoch: "k1", offset: 95 });
  });

  it("drops and counts repeated offsets", async () => {
    const h = harness();
    const { subscription, seen } = watch(h);
    const socket = await connect(h);
    subscribed(socket, 0);
    messages(socket, 1, 2, 2, 1, 3);
    expect(seen.offsets).toEqual([1, 2, 3]);
    expect(subscription.duplicates).toBe(2);
  });

  it("delivers once although a recovered line begins further back", async () => {
    const h = harness();
    const { subscription, seen } = watch(h);
    const first = await connect(h);
    subscribed(first, 0);
    messages(first, 1, 2, 3);
    const second = await reconnect(h);
    subscribed(second, 1);
    messages(second, 2, 3, 4);
    expect(seen.offsets).toEqual([1, 2, 3, 4]);
    expect(subscription.duplicates).toBe(2);
  });

  it("reports a jump that nothing explains", async () => {
    const h = harness();
    const { seen } = watch(h);
    const socket = await connect(h);
    subscribed(socket, 0);
    messages(socket, 1, 5);
    expect(seen.offsets).toEqual([1, 5]);
    expect(seen.errors.map((error) => error.code)).toEqual(["data_loss"]);
    expect(seen.errors[0]?.message).toContain("between 1 and 5");
  });

  it("accepts jumps that prev, position or gap explain", async () => {
    const h = harness();
    const { subscription, seen } = watch(h);
    const socket = await connect(h);
    subscribed(socket, 0);
    messages(socket, 1);
    socket.receive({ type: "message", channel, offset: 9, prev: 1, timestamp: 1 });
    socket.receive({ type: "position", channel, position: { epoch: "k1", offset: 20 } });
    messages(socket, 21);
    socket.receive({ type: "gap", channel, epoch: "k1", fromOffset: 22, toOffset: 30, reason: "retention" });
    messages(socket, 31);
    socket.receive({ type: "gap", channel, epoch: "k1", fromOffset: 32, toOffset: 40, reason: "damage" });
    messages(socket, 41);
    expect(seen.errors).toEqual([]);
    expect(seen.gaps).toHaveLength(2);
    expect(seen.offsets).toEqual([1, 9, 21, 31, 41]);
    expect(subscription.position).toEqual({ epoch: "k1", offset: 41 });
  });

  it("reports a jump whose prev was never delivered", async () => {
    const h = harness();
    const { seen } = watch(h);
    const socket = await connect(h);
    subscribed(socket, 0);
    socket.receive({ type: "message", channel, offset: 9, prev: 7, timestamp: 1 });
    expect(seen.errors).toHaveLength(1);
  });

  it("begins anew in another epoch", async () => {
    const h = harness();
    const { seen } = watch(h);
    const first = await connect(h);
    subscribed(first, 100);
    messages(first, 101);
    const second = await reconnect(h);
    subscribed(second, 0, { epoch: "k2", recovered: false });
    second.receive({ type: "gap", channel, epoch: "k2", fromOffset: 1, toOffset: 101, reason: "epoch" });
    messages(second, 1, 2);
    expect(seen.offsets).toEqual([101, 1, 2]);
    expect(seen.errors).toEqual([]);
    expect((await reconnect(h)).last("subscribe").from).toEqual({ epoch: "k2", offset: 2 });
  });

  it("tries again when it is refused for now, and ends when it is refused", async () => {
    const h = harness();
    const { seen } = watch(h);
    const socket = await connect(h);
    const refuse = (code: string, retryable: boolean): void => {
      const { requestId } = socket.last("subscribe");
      socket.receive({ type: "error", requestId, error: { code, message: "no", retryable, retryAfterMs: 400 } });
    };
    refuse("unavailable", true);
    await vi.advanceTimersByTimeAsync(399);
    expect(socket.frames.filter((frame) => frame.type === "subscribe")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    refuse("permission_denied", false);
    expect(seen.errors.map((error) => error.code)).toEqual(["unavailable"]);
    expect(seen.ends.map((error) => error.code)).toEqual(["permission_denied"]);
    const next = await reconnect(h);
    expect(next.frames.some((frame) => frame.type === "subscribe")).toBe(false);
  });

  it("ends when the gateway revokes it", async () => {
    const h = harness();
    const { seen } = watch(h);
    const socket = await connect(h);
    subscribed(socket, 0);
    socket.receive({ type: "unsubscribed", channel, code: "permission_denied", reason: "revoked" });
    messages(socket, 1);
    expect(seen.ends.map((error) => error.message)).toEqual(["revoked"]);
    expect(seen.offsets).toEqual([]);
  });

  it("can be replaced: what is left of the first one does not disturb the second", async () => {
    const h = harness();
    const first = watch(h);
    const socket = await connect(h);
    subscribed(socket, 0);
    expect(() => watch(h)).toThrow("subscribed already");
    first.subscription.close();
    const { requestId } = socket.last("unsubscribe");
    const second = watch(h, { offset: 0 });
    messages(socket, 1);
    socket.receive({ type: "unsubscribed", requestId, channel });
    subscribed(socket, 0);
    messages(socket, 1, 2);
    expect(first.seen.offsets).toEqual([]);
    expect(second.seen.offsets).toEqual([1, 2]);
    expect(second.seen.ends).toEqual([]);
  });
});
