import { describe, expect, it, vi } from "vitest";
import { type CallFrame, type CallRequest, type CallResult, MagpieError, type ServeOptions } from "../src/index.js";
import type { FakeSocket } from "./fakeGateway.js";
import { connect, type Harness, harness, reconnect, settle, useFakeClock } from "./harness.js";

useFakeClock();

const method = "pricing.quote";

/** Says that the gateway has heard of the method. */
function served(socket: FakeSocket): void {
  socket.receive({ type: "served", requestId: socket.last("serve").requestId, method });
}

/** Calls the client, as the gateway does. */
function ask(socket: FakeSocket, requestId: string, call: Partial<CallFrame> = {}): void {
  socket.receive({ type: "call", requestId, method, caller: { userId: "ann", sessionId: "s1" }, timeoutMs: 3_000, ...call });
}

/** Holds calls until the test ends them. */
function holding() {
  const requests: CallRequest[] = [];
  const results: ((result: CallResult) => void)[] = [];
  const handler = (request: CallRequest): Promise<CallResult> => {
    requests.push(request);
    return new Promise((resolve) => results.push(resolve));
  };
  return { handler, requests, results };
}

/** A line on which the method is served by a handler that holds its calls. */
async function serving(options?: ServeOptions) {
  const h = harness();
  const { handler, requests, results } = holding();
  const service = h.client.serve(method, handler, options);
  const socket = await connect(h);
  served(socket);
  return { h, service, socket, requests, results };
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let is = false;
  void promise.then(() => { is = true; });
  await settle();
  return is;
}

describe("a service", () => {
  it("is announced on each line, also where the session is resumed", async () => {
    const h = harness();
    const served1 = vi.fn();
    const service = h.client.serve(method, () => ({}), { concurrency: 8, onServed: served1 });
    const first = await connect(h, "secret");
    expect(first.last("serve")).toMatchObject({ method, concurrency: 8 });
    expect(service.active).toBe(false);
    served(first);
    expect(service.active).toBe(true);
    first.end();
    expect(service.active).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    const second = h.gateway.accept("secret", true);
    expect(second.all("serve")).toHaveLength(1);
    served(second);
    expect(served1).toHaveBeenCalledTimes(2);
  });

  it("may begin while the line is open, and has one handler", async () => {
    const h = harness();
    const socket = await connect(h);
    h.client.serve(method, () => ({}));
    expect(socket.last("serve").concurrency).toBeUndefined();
    expect(() => h.client.serve(method, () => ({}))).toThrow("answered already");
    expect(() => h.client.handle(method, () => ({}))).toThrow("answered already");
  });

  it("tries again when it is refused for now, and ends when it is refused", async () => {
    const h = harness();
    const onError = vi.fn();
    const onEnd = vi.fn();
    h.client.serve(method, () => ({}), { onError, onEnd });
    const socket = await connect(h);
    const refuse = (code: string, retryable: boolean): void => {
      const error = { code, message: "no", retryable, retryAfterMs: 400 };
      socket.receive({ type: "error", requestId: socket.last("serve").requestId, error });
    };
    refuse("unavailable", true);
    await vi.advanceTimersByTimeAsync(399);
    expect(socket.all("serve")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(socket.all("serve")).toHaveLength(2);
    refuse("permission_denied", false);
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: "unavailable" }));
    expect(onEnd).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: "permission_denied" }));
    expect((await reconnect(h)).all("serve")).toHaveLength(0);
  });

  it("that waits to try again is announced once on a new line", async () => {
    const h = harness();
    h.client.serve(method, () => ({}));
    const first = await connect(h);
    const error = { code: "unavailable", message: "no", retryable: true, retryAfterMs: 2_000 };
    first.receive({ type: "error", requestId: first.last("serve").requestId, error });
    const second = await reconnect(h);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(second.all("serve")).toHaveLength(1);
  });

  it("hears that the gateway took it away, for now or for good", async () => {
    const { h, socket, service } = await serving();
    const faults: string[] = [];
    h.client.onError(({ code }) => faults.push(code));
    socket.receive({ type: "unserved", method, code: "unavailable", reason: "draining" });
    expect(service.active).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(socket.all("serve")).toHaveLength(2);
    served(socket);
    expect(service.active).toBe(true);
    socket.receive({ type: "unserved", method, code: "permission_denied", reason: "the right is gone" });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(socket.all("serve")).toHaveLength(2);
    expect(faults).toEqual(["permission_denied"]);
  });
});

describe("closing a service", () => {
  it("answers what was sent before the gateway heard of it, and waits for what is in hand", async () => {
    const { service, socket, results } = await serving();
    ask(socket, "s1");
    const closed = service.close();
    expect(service.close()).toBe(closed);
    const { requestId } = socket.last("unserve");
    ask(socket, "s2");
    expect(service.calls).toBe(2);
    socket.receive({ type: "unserved", requestId, method });
    results[0]?.({ data: 1 });
    expect(await settled(closed)).toBe(false);
    results[1]?.({ data: 2 });
    expect(await settled(closed)).toBe(true);
    expect(socket.all("reply").map(({ data }) => data)).toEqual([1, 2]);
    expect(service.calls).toBe(0);
    ask(socket, "s3");
    expect(socket.last("error")).toMatchObject({ requestId: "s3", error: { code: "unimplemented" } });
  });

  it("makes room for another one, and is not served again", async () => {
    const { h, service, socket } = await serving();
    const closed = service.close();
    socket.receive({ type: "unserved", requestId: socket.last("unserve").requestId, method });
    await closed;
    expect((await reconnect(h)).all("serve")).toHaveLength(0);
    h.client.serve(method, () => ({}));
    expect(h.gateway.socket.all("serve")).toHaveLength(1);
  });

  it("does not wait for a line that broke, nor for one that never was", async () => {
    const { h, service, socket } = await serving();
    const closed = service.close();
    socket.end();
    expect(await settled(closed)).toBe(true);
    expect(await settled(h.client.serve(method, () => ({})).close())).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(h.gateway.accept().all("serve")).toHaveLength(0);
  });
});

describe("a handler", () => {
  it("sees who calls with what, and its result is the reply", async () => {
    const { socket, requests, results } = await serving();
    ask(socket, "s9", { meta: { traceparent: "00" }, data: { sku: "A-7" } });
    expect(requests[0]).toMatchObject({
      method,
      caller: { userId: "ann", sessionId: "s1" },
      meta: { traceparent: "00" },
      data: { sku: "A-7" },
    });
    const left = (requests[0]?.deadline ?? 0) - performance.timeOrigin - performance.now();
    expect(Math.round(left)).toBe(3_000);
    results[0]?.({ data: 12, meta: { took: "1" } });
    await settle();
    expect(socket.last("reply")).toEqual({ type: "reply", requestId: "s9", data: 12, meta: { took: "1" } });
    expect(requests[0]?.signal.aborted).toBe(false);
  });

  it("answers as it is ready, and may reply with nothing", async () => {
    const h = harness();
    h.client.handle("a.now", () => undefined);
    h.client.handle("a.text", () => ({ text: "yes" }));
    const socket = await connect(h);
    expect(socket.all("serve")).toHaveLength(0);
    ask(socket, "s1", { method: "a.now" });
    ask(socket, "s2", { method: "a.text" });
    ask(socket, "s3", { method: "a.unknown" });
    await settle();
    expect(socket.all("reply")).toMatchObject([{ requestId: "s1" }, { requestId: "s2", text: "yes" }]);
    expect(socket.last("error")).toMatchObject({ requestId: "s3", error: { code: "unimplemented" } });
  });

  it("shows its caller a MagpieError, and of any other error nothing but that it failed", async () => {
    const h = harness();
    const faults: MagpieError[] = [];
    h.client.onError((error) => faults.push(error));
    const cause = new Error("password is hunter2");
    const thrown = [new MagpieError("resource_exhausted", "later", { retryable: true, retryAfterMs: 50, details: [1] }), cause];
    h.client.handle(method, () => { throw thrown.shift() as Error; });
    const socket = await connect(h);
    ask(socket, "s1");
    ask(socket, "s2");
    await settle();
    expect(socket.all("error")).toEqual([
      {
        type: "error",
        requestId: "s1",
        error: { code: "resource_exhausted", message: "later", retryable: true, retryAfterMs: 50, details: [1] },
      },
      { type: "error", requestId: "s2", error: { code: "internal", message: `the handler of ${method} failed` } },
    ]);
    expect(faults).toEqual([expect.objectContaining({ code: "internal", cause })]);
  });

  it.each<[string, () => CallResult]>([
    ["out_of_range", () => ({ text: "x".repeat(2_000) })],
    ["out_of_range", () => { throw new MagpieError("aborted", "no", { details: "x".repeat(2_000) }); }],
    ["internal", () => ({ data: 1n as unknown as number })],
  ])("whose answer cannot be sent fails with %s", async (code, handler) => {
    const h = harness();
    h.client.handle(method, handler);
    h.client.connect();
    await settle();
    const { socket } = h.gateway;
    socket.open();
    socket.receive({ type: "connected", requestId: "0", sessionId: "s", resumed: false, limits: { frameBytes: 1_000 } });
    ask(socket, "s1");
    await settle();
    expect(socket.last("error")).toMatchObject({ requestId: "s1", error: { code } });
  });

  it.each([
    ["canceled", (socket: FakeSocket) => { socket.receive({ type: "cancel", requestId: "s1" }); }],
    ["deadline_exceeded", () => vi.advanceTimersByTimeAsync(3_000)],
    ["unavailable", (socket: FakeSocket) => { socket.end(); }],
  ])("hears that nobody waits any more: %s", async (code, end) => {
    const { h, service, socket, requests, results } = await serving();
    const faults: MagpieError[] = [];
    h.client.onError((error) => faults.push(error));
    ask(socket, "s1");
    await end(socket);
    expect(requests[0]?.signal.reason).toMatchObject({ code });
    await expect(requests[0]?.progress({ data: 1 })).rejects.toMatchObject({ code });
    const next = h.client.state.kind === "connected" ? socket : await nextLine(h);
    results[0]?.({ data: 1 });
    await settle();
    // What comes too late is not sent, and on another line least of all.
    expect([...socket.all("reply"), ...next.all("reply"), ...next.all("error")]).toEqual([]);
    expect(service.calls).toBe(0);
    expect(faults).toEqual([]);
  });

  it("that fails because nobody waits any more is no fault", async () => {
    const h = harness();
    const fault = vi.fn();
    h.client.onError(fault);
    h.client.handle(method, ({ signal }) => new Promise((_, reject) => {
      signal.addEventListener("abort", () => { reject(new Error("aborted")); });
    }));
    const socket = await connect(h);
    ask(socket, "s1");
    socket.receive({ type: "cancel", requestId: "s1" });
    await settle();
    expect(socket.all("error")).toEqual([]);
    expect(fault).not.toHaveBeenCalled();
  });
});

async function nextLine(h: Harness): Promise<FakeSocket> {
  await vi.advanceTimersByTimeAsync(1_000);
  return h.gateway.accept();
}

describe("progress", () => {
  it("waits for credit after 16 parts, and goes before the reply", async () => {
    const h = harness();
    h.client.handle(method, ({ progress }) => {
      for (let i = 1; i <= 20; i++) void progress({ data: i });
      return { data: "done" };
    });
    const socket = await connect(h);
    ask(socket, "s1");
    await settle();
    expect(socket.all("progress").map(({ data }) => data)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
    expect(socket.all("reply")).toEqual([]);
    socket.receive({ type: "credit", requestId: "s1", count: 3 });
    await settle();
    expect(socket.all("progress")).toHaveLength(19);
    expect(socket.all("reply")).toEqual([]);
    socket.receive({ type: "credit", requestId: "s1", count: 16 });
    await settle();
    expect(socket.frames.slice(-2)).toMatchObject([{ type: "progress", data: 20 }, { type: "reply", data: "done" }]);
  });

  it("holds a handler that waits for it", async () => {
    const h = harness();
    let sent = 0;
    h.client.handle(method, async ({ progress }) => {
      for (; sent < 40; sent++) await progress({ data: sent });
      return {};
    });
    const socket = await connect(h);
    ask(socket, "s1");
    await settle();
    expect(sent).toBe(16);
    socket.receive({ type: "credit", requestId: "s1", count: 4 });
    await settle();
    expect(sent).toBe(20);
  });

  it("fails when the caller leaves, without bringing down a program that does not wait for it", async () => {
    const h = harness();
    const ends: unknown[] = [];
    h.client.handle(method, async ({ progress }) => {
      for (let i = 0; i < 20; i++) void progress({ data: i });
      await progress({ data: "last" }).catch((error: unknown) => ends.push(error));
      return {};
    });
    const socket = await connect(h);
    ask(socket, "s1");
    await settle();
    socket.receive({ type: "cancel", requestId: "s1" });
    await settle();
    expect(ends).toMatchObject([{ code: "canceled" }]);
    expect(socket.all("progress")).toHaveLength(16);
    expect(socket.all("reply")).toEqual([]);
  });

  it("is refused after the answer", async () => {
    const { socket, requests, results } = await serving();
    ask(socket, "s1");
    results[0]?.({});
    await settle();
    await expect(requests[0]?.progress({ data: 1 })).rejects.toMatchObject({ code: "failed_precondition" });
    expect(socket.all("progress")).toEqual([]);
  });
});
