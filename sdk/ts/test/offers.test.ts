import { describe, expect, it, vi } from "vitest";
import type { Subscription, SubscriptionOffer } from "../src/index.js";
import type { FakeSocket } from "./fakeGateway.js";
import { connect, type Harness, harness, useFakeClock } from "./harness.js";

useFakeClock();

const channel = "order.update";

/** Opens the subscription from the gateway's side. */
function opened(socket: FakeSocket, offset: number, recovered = true, requestId?: string): void {
  socket.receive({ type: "subscribed", requestId, channel, position: { epoch: "k1", offset }, tail: offset + 1, recovered });
}

/** Opens it because the client asked. */
function answered(socket: FakeSocket, offset: number): void {
  opened(socket, offset, true, socket.last("subscribe").requestId);
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
    answered(second, 42);
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

});

describe("a subscription that the program left while the line was away", () => {
  async function left(resumed: boolean, meanwhile: (h: Harness) => void = () => undefined) {
    const h = harness();
    const subscription = h.client.subscribe(channel, { onMessage: () => undefined });
    const first = await connect(h, "secret");
    answered(first, 1);
    const offered = vi.fn();
    h.client.onSubscription(offered);
    first.end();
    subscription.close();
    meanwhile(h);
    await vi.advanceTimersByTimeAsync(1_000);
    return { socket: h.gateway.accept("secret", resumed), offered };
  }

  it("is closed once a resumed session brings it, and not offered", async () => {
    const { socket, offered } = await left(true);
    opened(socket, 1);
    expect(socket.last("unsubscribe").channel).toBe(channel);
    expect(offered).not.toHaveBeenCalled();
    opened(socket, 1);
    expect(offered).toHaveBeenCalledOnce();
  });

  it("is offered when the gateway opens it for a new session", async () => {
    const { socket, offered } = await left(false);
    opened(socket, 1);
    expect(offered).toHaveBeenCalledOnce();
  });

  it("is offered after the program wanted it again for a while", async () => {
    let again: Subscription | undefined;
    const { socket, offered } = await left(true, ({ client }) => {
      again = client.subscribe(channel, { onMessage: () => undefined });
    });
    answered(socket, 1);
    again?.close();
    opened(socket, 1);
    expect(offered).toHaveBeenCalledOnce();
  });
});
