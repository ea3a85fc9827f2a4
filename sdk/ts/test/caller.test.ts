import { describe, expect, it, vi } from "vitest";
import type { Payload } from "../src/index.js";
import { connect, type Harness, harness, reconnect, settle, useFakeClock } from "./harness.js";

useFakeClock();

describe("a call", () => {
  it("gives the reply, and the parts before it", async () => {
    const h = harness();
    const socket = await connect(h);
    const parts: Payload[] = [];
    const abort = new AbortController();
    const { signal } = abort;
    const result = h.client.call("pricing.quote", { data: 1 }, { to: "user:42", signal, onProgress: (part) => parts.push(part) });
    const { requestId, ...call } = socket.last("call");
    expect(call).toMatchObject({ method: "pricing.quote", to: "user:42", timeoutMs: 30_000, data: 1 });
    expect(socket.last("credit")).toMatchObject({ requestId, count: 16 });
    socket.receive({ type: "progress", requestId, data: "half" });
    socket.receive({ type: "reply", requestId, data: "all" });
    await expect(result).resolves.toMatchObject({ data: "all" });
    abort.abort();
    expect(socket.all("cancel")).toEqual([]);
    expect(parts).toMatchObject([{ data: "half" }]);
  });

  it("allows more parts as they are taken", async () => {
    const h = harness();
    const socket = await connect(h);
    h.client.call("a.b", {}, { onProgress: () => undefined }).catch(() => undefined);
    const { requestId } = socket.last("call");
    for (let i = 0; i < 16; i++) socket.receive({ type: "progress", requestId });
    expect(socket.frames.filter((frame) => frame.type === "credit")).toHaveLength(2);
    h.client.close();
  });

  it("fails with the callee's error", async () => {
    const h = harness();
    const socket = await connect(h);
    const result = h.client.call("a.b");
    const { requestId } = socket.last("call");
    socket.receive({ type: "error", requestId, error: { code: "not_found", message: "nobody serves a.b" } });
    await expect(result).rejects.toMatchObject({ code: "not_found" });
  });

  it("fails in time and tells the callee", async () => {
    const h = harness();
    const socket = await connect(h);
    const told = expect(h.client.call("a.b", {}, { timeoutMs: 2_000 })).rejects.toMatchObject({ code: "deadline_exceeded" });
    await vi.advanceTimersByTimeAsync(2_000);
    await told;
    expect(socket.last("cancel").requestId).toBe(socket.last("call").requestId);
  });

  it("can be cancelled", async () => {
    const h = harness();
    const socket = await connect(h);
    const abort = new AbortController();
    const told = expect(h.client.call("a.b", {}, { signal: abort.signal })).rejects.toMatchObject({ code: "canceled" });
    abort.abort();
    await told;
    expect(socket.last("cancel").requestId).toBe(socket.last("call").requestId);
  });

  it("is not repeated when the line breaks", async () => {
    const h = harness();
    const socket = await connect(h);
    const told = expect(h.client.call("a.b")).rejects.toMatchObject({ code: "unavailable", retryable: true });
    socket.end();
    await told;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(h.gateway.accept().frames.some((frame) => frame.type === "call")).toBe(false);
  });

  it("that cannot be sent fails, and leaves the line as it is", async () => {
    const h = harness();
    h.client.connect();
    await settle();
    h.gateway.socket.open();
    h.gateway.socket.receive({ type: "connected", requestId: "0", sessionId: "s", resumed: false, limits: { frameBytes: 1_000 } });
    await expect(h.client.call("a.b", { text: "x".repeat(1_000) })).rejects.toMatchObject({ code: "out_of_range" });
    await expect(h.client.call("a.b", { text: "你".repeat(320) })).rejects.toMatchObject({ code: "out_of_range" });
    await expect(h.client.publish("a.b", { text: "x".repeat(1_000) })).rejects.toMatchObject({ code: "out_of_range" });
    expect(h.gateway.socket.frames.map(({ type }) => type)).toEqual(["connect"]);
    h.client.call("a.b", { text: "x".repeat(900) }).catch(() => undefined);
    h.client.call("a.b", { text: "你".repeat(280) }).catch(() => undefined);
    expect(h.gateway.socket.all("call")).toHaveLength(2);
    h.client.close();
  });
});

describe("a call to several", () => {
  it("names the device, and gathers what they answer", async () => {
    const h = harness();
    const socket = await connect(h);
    const result = h.client.call("ui.confirm", {}, { to: "user:42", device: "phone", answers: "all" });
    const { requestId, ...call } = socket.last("call");
    expect(call).toMatchObject({ to: "user:42", device: "phone", answers: "all" });
    const error = { code: "unavailable", message: "gone" };
    socket.receive({ type: "reply", requestId, asked: 3, answers: [{ userId: "bob", sessionId: "b", data: 1 }, { userId: "eve", error }] });
    await expect(result).resolves.toMatchObject({
      asked: 3,
      answers: [{ userId: "bob", sessionId: "b", data: 1 }, { userId: "eve", error }],
    });
  });

  it.each([{ to: "user:42", answers: "all" } as const, { to: "channel:room.7" }])(
    "takes the answers that come when the time is over: %o",
    async (options) => {
      const h = harness();
      const socket = await connect(h);
      const result = h.client.call("ui.confirm", {}, { ...options, timeoutMs: 2_000 });
      const { requestId, timeoutMs } = socket.last("call");
      expect(timeoutMs).toBe(2_000);
      await vi.advanceTimersByTimeAsync(2_100);
      socket.receive({ type: "reply", requestId, asked: 2, answers: [{ data: 1 }] });
      await expect(result).resolves.toMatchObject({ asked: 2 });
    },
  );
});

describe("a call without a line", () => {
  it("fails where no line is wanted", async () => {
    const h = harness();
    await expect(h.client.call("a.b")).rejects.toMatchObject({ code: "unavailable" });
    await connect(h);
    h.client.close();
    await expect(h.client.call("a.b")).rejects.toMatchObject({ code: "unavailable" });
  });

  it("waits for it, and tells the callee how much time is left", async () => {
    const h = harness();
    h.client.connect();
    const result = h.client.call("a.b", { data: 1 }, { timeoutMs: 3_000 });
    await vi.advanceTimersByTimeAsync(1_000);
    const socket = h.gateway.accept();
    const { requestId, timeoutMs } = socket.last("call");
    expect(timeoutMs).toBe(2_000);
    socket.receive({ type: "reply", requestId, data: 2 });
    await expect(result).resolves.toMatchObject({ data: 2 });
  });

  it("waits for the next one, and is sent once", async () => {
    const h = harness();
    (await connect(h)).end();
    const result = h.client.call("a.b");
    await vi.advanceTimersByTimeAsync(1_000);
    const told = expect(result).rejects.toMatchObject({ code: "unavailable" });
    expect(h.gateway.accept().all("call")).toHaveLength(1);
    expect((await reconnect(h)).all("call")).toHaveLength(0);
    await told;
  });

  it("fails when its time is over, and is not sent any more", async () => {
    const h = harness();
    h.client.connect();
    const told = expect(h.client.call("a.b", {}, { timeoutMs: 2_000 })).rejects.toMatchObject({ code: "unavailable" });
    await vi.advanceTimersByTimeAsync(2_000);
    await told;
    expect(h.gateway.accept().all("call")).toHaveLength(0);
  });

  it("can be cancelled, and then is not sent", async () => {
    const h = harness();
    h.client.connect();
    const abort = new AbortController();
    const told = expect(h.client.call("a.b", {}, { signal: abort.signal })).rejects.toMatchObject({ code: "canceled" });
    abort.abort();
    await told;
    await settle();
    expect(h.gateway.accept().frames.map(({ type }) => type)).toEqual(["connect"]);
  });

  it.each([
    ["closes its line", (h: Harness) => { h.client.close(); }],
    ["waits for another attempt and is closed", (h: Harness) => { h.gateway.socket.end(); h.client.close(); }],
    ["is refused for good", (h: Harness) => { h.gateway.socket.end(4501); }],
  ])("fails at once when the client %s", async (_, end) => {
    const h = harness();
    h.client.connect();
    await settle();
    const told = expect(h.client.call("a.b")).rejects.toMatchObject({ code: "unavailable" });
    end(h);
    await told;
  });
});
