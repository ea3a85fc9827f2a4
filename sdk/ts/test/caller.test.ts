import { describe, expect, it, vi } from "vitest";
import type { Payload } from "../src/index.js";
import { connect, harness, useFakeClock } from "./harness.js";

useFakeClock();

describe("a call", () => {
  it("gives the reply, and the parts before it", async () => {
    const h = harness();
    const socket = await connect(h);
    const parts: Payload[] = [];
    const result = h.client.call("pricing.quote", { data: 1 }, { to: "user:42", onProgress: (part) => parts.push(part) });
    const { requestId, ...call } = socket.last("call");
    expect(call).toMatchObject({ method: "pricing.quote", to: "user:42", timeoutMs: 30_000, data: 1 });
    expect(socket.last("credit")).toMatchObject({ requestId, count: 16 });
    socket.receive({ type: "progress", requestId, data: "half" });
    socket.receive({ type: "reply", requestId, data: "all" });
    await expect(result).resolves.toMatchObject({ data: "all" });
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
    await expect(h.client.call("a.b")).rejects.toMatchObject({ code: "unavailable" });
    const socket = await connect(h);
    const told = expect(h.client.call("a.b")).rejects.toMatchObject({ code: "unavailable", retryable: true });
    socket.end();
    await told;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(h.gateway.accept().frames.some((frame) => frame.type === "call")).toBe(false);
  });

  it("from the other side is refused", async () => {
    const socket = await connect(harness());
    socket.receive({ type: "call", requestId: "s9", method: "ui.confirm" });
    expect(socket.last("error")).toMatchObject({ requestId: "s9", error: { code: "unimplemented" } });
  });
});
