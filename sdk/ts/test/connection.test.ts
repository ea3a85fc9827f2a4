import { describe, expect, it, vi } from "vitest";
import { CloseCode, mayReconnect } from "../src/index.js";
import { FakeSocket } from "./fakeGateway.js";
import { connect, harness, reconnect, settle, useFakeClock } from "./harness.js";

useFakeClock();

describe("connecting", () => {
  it("asks for the subprotocol and sends the token in the connect frame", async () => {
    const h = harness({ token: "secret", name: "test", version: "1.2.3", device: "phone" });
    const socket = await connect(h);
    expect(socket.protocols).toEqual(["magpie.v1.json"]);
    expect(socket.last("connect")).toMatchObject({ token: "secret", device: "phone", client: { name: "test", version: "1.2.3" } });
    expect(h.states.map((state) => state.kind)).toEqual(["connecting", "connected"]);
  });

  it("fetches the token anew for each attempt", async () => {
    let count = 0;
    const h = harness({ token: () => Promise.resolve(`t${String(++count)}`) });
    await connect(h);
    const socket = await reconnect(h);
    expect(socket.last("connect").token).toBe("t2");
  });

  it("tries again when the token cannot be fetched", async () => {
    let fail = true;
    const h = harness({ token: () => (fail ? Promise.reject(new Error("no network")) : "t") });
    h.client.connect();
    await settle();
    expect(h.client.state).toMatchObject({ kind: "waiting", reason: { error: { code: "unauthenticated" } } });
    fail = false;
    await vi.advanceTimersByTimeAsync(1_000);
    h.gateway.accept();
    expect(h.client.state.kind).toBe("connected");
  });

  it("gives up an attempt that is not answered in time", async () => {
    const h = harness();
    h.client.connect();
    await settle();
    h.gateway.socket.open();
    await vi.advanceTimersByTimeAsync(9_999);
    expect(h.client.state.kind).toBe("connecting");
    await vi.advanceTimersByTimeAsync(1);
    expect(h.client.state).toMatchObject({ kind: "waiting", reason: { local: true } });
  });

  it("rests when the token is refused, and says why", async () => {
    const h = harness();
    h.client.connect();
    await settle();
    h.gateway.socket.open();
    h.gateway.socket.receive({
      type: "error",
      requestId: h.gateway.socket.last("connect").requestId,
      error: { code: "unauthenticated", message: "the token expired" },
    });
    expect(h.client.state).toMatchObject({
      kind: "closed",
      reason: { code: CloseCode.unauthorized, error: { code: "unauthenticated", message: "the token expired" } },
    });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(h.gateway.sockets).toHaveLength(1);
  });
});

describe("an address that cannot work", () => {
  it.each(["http://gateway/ws", "gateway"])("is refused: %s", (url) => {
    expect(() => harness({ url })).toThrow(TypeError);
  });

  it("is not tried again when the platform forbids it", async () => {
    const forbidden = class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        throw new Error("insecure");
      }
    };
    const h = harness({ WebSocket: forbidden });
    h.client.connect();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(h.states.map((state) => state.kind)).toEqual(["connecting", "closed"]);
  });
});

describe("reconnecting", () => {
  it.each([
    [1000, true], [1001, true], [1002, false], [1003, false], [1006, true], [1007, false], [1009, false],
    [1011, true], [4001, true], [4008, true], [4499, true], [4500, false], [4501, false], [4503, false], [4999, false],
  ])("after close code %i: %s", async (code, comesBack) => {
    expect(mayReconnect(code)).toBe(comesBack);
    const h = harness();
    (await connect(h)).end(code);
    expect(h.client.state.kind).toBe(comesBack ? "waiting" : "closed");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(h.gateway.sockets.length > 1).toBe(comesBack);
  });

  it("waits longer after each failure, but never over 30 s, and tells when the next attempt comes", async () => {
    const h = harness({ random: () => 1 });
    h.client.connect();
    await settle();
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      h.gateway.socket.end();
      const { state } = h.client;
      if (state.kind !== "waiting") throw new Error(`the client is ${state.kind}`);
      const wait = Math.round(state.nextAttemptAt - (performance.timeOrigin + performance.now()));
      waits.push(wait);
      await vi.advanceTimersByTimeAsync(wait);
    }
    expect(waits).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("forgets failures only after the line was stable for 5 s", async () => {
    const h = harness({ random: () => 1 });
    const wait = (): number => {
      const { state } = h.client;
      return state.kind === "waiting" ? Math.round(state.nextAttemptAt - performance.timeOrigin - performance.now()) : -1;
    };
    (await connect(h)).end();
    expect(wait()).toBe(2_000);
    await vi.advanceTimersByTimeAsync(2_000);
    h.gateway.accept();
    await vi.advanceTimersByTimeAsync(4_999);
    h.gateway.socket.end();
    expect(wait()).toBe(4_000);
    await vi.advanceTimersByTimeAsync(4_000);
    h.gateway.accept();
    await vi.advanceTimersByTimeAsync(5_000);
    h.gateway.socket.end();
    expect(wait()).toBe(2_000);
  });

  it("stays away for as long as the gateway's goodbye asks", async () => {
    const h = harness();
    const socket = await connect(h);
    socket.receive({ type: "goodbye", code: 4008, reason: "draining", retryAfterMs: 7_000 });
    socket.end(4008, "draining");
    await vi.advanceTimersByTimeAsync(6_999);
    expect(h.gateway.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(h.gateway.sockets).toHaveLength(2);
  });

  it("stays away for as long as the error asks that refused it", async () => {
    const h = harness();
    h.client.connect();
    await settle();
    h.gateway.socket.open();
    h.gateway.socket.receive({
      type: "error",
      requestId: "0",
      error: { code: "unavailable", message: "full", retryable: true, retryAfterMs: 9_000 },
    });
    await vi.advanceTimersByTimeAsync(8_999);
    expect(h.gateway.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(h.gateway.sockets).toHaveLength(2);
  });

  it("tries at once when told to", async () => {
    const h = harness({ random: () => 1 });
    (await connect(h)).end();
    h.client.connect();
    await settle();
    expect(h.gateway.sockets).toHaveLength(2);
    // The attempt that was planned does not come on top of it.
    await vi.advanceTimersByTimeAsync(5_000);
    expect(h.gateway.sockets).toHaveLength(2);
  });

  it("stays away after close, also when a token comes late", async () => {
    let give: (token: string) => void = () => undefined;
    const h = harness({ token: () => new Promise<string>((resolve) => { give = resolve; }) });
    h.client.connect();
    h.client.close("done");
    give("late");
    await settle();
    expect(h.gateway.sockets).toHaveLength(0);
    expect(h.client.state).toMatchObject({ kind: "closed", reason: { reason: "done", local: true } });
  });
});

describe("the heartbeat", () => {
  it("pings a quiet line and keeps one that answers", async () => {
    const h = harness();
    const socket = await connect(h);
    for (let i = 1; i <= 5; i++) {
      await vi.advanceTimersByTimeAsync(30_000);
      expect(socket.sent.filter((text) => text === "ping")).toHaveLength(i);
      socket.receive("pong");
    }
    expect(h.client.state.kind).toBe("connected");
  });

  it("gives up a line on which nothing is heard", async () => {
    const h = harness();
    await connect(h);
    await vi.advanceTimersByTimeAsync(89_999);
    expect(h.client.state.kind).toBe("connected");
    await vi.advanceTimersByTimeAsync(1);
    expect(h.client.state.kind).toBe("waiting");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(h.gateway.sockets).toHaveLength(2);
  });

  it("answers the gateway's own ping", async () => {
    const socket = await connect(harness());
    socket.receive({ type: "ping", requestId: "p1" });
    expect(socket.last("pong").requestId).toBe("p1");
  });
});

describe("what cannot be understood", () => {
  it("is reported and leaves the line open", async () => {
    const h = harness();
    const errors: string[] = [];
    h.client.onError((error) => errors.push(error.code));
    const socket = await connect(h);
    socket.receive("not json");
    socket.receive('{"type":"gap","channel":7}');
    socket.receive('{"type":"something_new"}');
    socket.receive('{"type":"constructor"}');
    expect(errors).toEqual(["data_loss", "data_loss"]);
    expect(h.client.state.kind).toBe("connected");
  });
});
