import { describe, expect, it, vi } from "vitest";
import type { SubscriptionOffer } from "../src/index.js";
import type { FakeSocket } from "./fakeGateway.js";
import { connect, harness, useFakeClock } from "./harness.js";

useFakeClock();

const channel = "order.update";

function opened(socket: FakeSocket, offset: number, recovered = true): void {
  socket.receive({ type: "subscribed", channel, position: { epoch: "k1", offset }, tail: offset + 1, recovered });
}

function message(socket: FakeSocket, offset: number): void {
  socket.receive({ type: "message", channel, offset, timestamp: 1 });
}

describe("a subscription that the gateway opened", () => {
  it("is closed when nobody listens, or nobody wants it", async () => {
    const h = harness();
    const socket = await connect(h);
    opened(socket, 41);
    expect(socket.all("unsubscribe")).toMatchObject([{ channel }]);
    const offers: SubscriptionOffer[] = [];
    const unlisten = h.client.onSubscription((offer) => offers.push(offer));
    opened(socket, 41);
    expect(offers).toMatchObject([{ channel, position: { epoch: "k1", offset: 41 }, tail: 42 }]);
    expect(socket.all("unsubscribe")).toHaveLength(2);
    expect(() => offers[0]?.accept({ onMessage: () => undefined })).toThrow("not on offer any more");
    unlisten();
    opened(socket, 41);
    expect(offers).toHaveLength(1);
  });

  it("belongs to who accepts it, and goes on over lines", async () => {
    const h = harness();
    const offsets: number[] = [];
    h.client.onSubscription((offer) => {
      const subscription = offer.accept({ onMessage: ({ offset }) => offsets.push(offset) });
      expect(subscription.active).toBe(true);
    });
    const first = await connect(h, "secret");
    opened(first, 41);
    message(first, 42);
    expect(first.all("subscribe")).toEqual([]);
    expect(first.all("unsubscribe")).toEqual([]);
    first.end();
    await vi.advanceTimersByTimeAsync(1_000);
    const second = h.gateway.accept();
    expect(second.last("subscribe")).toMatchObject({ channel, from: { epoch: "k1", offset: 42 } });
    const { requestId } = second.last("subscribe");
    second.receive({ type: "subscribed", requestId, channel, position: { epoch: "k1", offset: 42 }, tail: 42, recovered: true });
    message(second, 43);
    expect(offsets).toEqual([42, 43]);
  });

  it("may be asked for instead by a listener that wants it differently", async () => {
    const h = harness();
    h.client.onSubscription((offer) => {
      h.client.subscribe(offer.channel, { from: { last: 10 }, onMessage: () => undefined });
    });
    const socket = await connect(h);
    opened(socket, 41);
    expect(socket.frames.map(({ type }) => type)).toEqual(["connect", "subscribe"]);
  });

  it("moves one that is there already", async () => {
    const h = harness();
    const offsets: number[] = [];
    const errors: string[] = [];
    h.client.onSubscription((offer) => {
      offer.accept({ onMessage: ({ offset }) => offsets.push(offset), onError: ({ code }) => errors.push(code) });
    });
    const socket = await connect(h);
    opened(socket, 41);
    message(socket, 42);
    opened(socket, 90, false);
    message(socket, 91);
    expect(offsets).toEqual([42, 91]);
    expect(errors).toEqual([]);
  });

  it("is not offered where the program itself has left it while the line was away", async () => {
    const h = harness();
    const subscription = h.client.subscribe(channel, { onMessage: () => undefined });
    const first = await connect(h, "secret");
    const { requestId } = first.last("subscribe");
    first.receive({ type: "subscribed", requestId, channel, position: { epoch: "k1", offset: 1 }, tail: 1, recovered: false });
    const offered = vi.fn();
    h.client.onSubscription(offered);
    first.end();
    subscription.close();
    await vi.advanceTimersByTimeAsync(1_000);
    const second = h.gateway.accept("secret", true);
    opened(second, 1);
    expect(second.last("unsubscribe").channel).toBe(channel);
    expect(offered).not.toHaveBeenCalled();
    opened(second, 1);
    expect(offered).toHaveBeenCalledOnce();
  });
});
