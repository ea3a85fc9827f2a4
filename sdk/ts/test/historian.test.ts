import { describe, expect, it, vi } from "vitest";
import { connect, harness, reconnect, useFakeClock } from "./harness.js";

useFakeClock();

const page = { type: "page", channel: "a.b", epoch: "k1", head: 1, tail: 3 } as const;

describe("history", () => {
  it("gives a page", async () => {
    const h = harness();
    const socket = await connect(h);
    const result = h.client.history("a.b", { from: { time: 7 }, limit: 2, reverse: true });
    const { requestId, ...asked } = socket.last("history");
    expect(asked).toEqual({ type: "history", channel: "a.b", from: { time: 7 }, limit: 2, reverse: true });
    const gap = { epoch: "k1", fromOffset: 1, toOffset: 2, reason: "retention" };
    const messages = [{ offset: 3, timestamp: 7, data: { n: 1 } }];
    socket.receive({ ...page, requestId, gap, messages });
    await expect(result).resolves.toMatchObject({ epoch: "k1", head: 1, tail: 3, gap, messages });
  });

  it("goes from page to page to the end", async () => {
    const h = harness();
    const socket = await connect(h);
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { messages } of h.client.historyPages("a.b", { limit: 2 })) {
        seen.push(...messages.map(({ offset }) => offset));
      }
    })();
    const first = socket.last("history");
    expect(first.from).toBeUndefined();
    const next = { epoch: "k1", offset: 2 };
    socket.receive({ ...page, requestId: first.requestId, messages: [{ offset: 1, timestamp: 1 }, { offset: 2, timestamp: 1 }], next });
    await vi.advanceTimersByTimeAsync(0);
    const second = socket.last("history");
    expect(second).toMatchObject({ from: next, limit: 2 });
    socket.receive({ ...page, requestId: second.requestId, messages: [{ offset: 3, timestamp: 1 }] });
    await reading;
    expect(seen).toEqual([1, 2, 3]);
  });

  it("asks again on the next line", async () => {
    const h = harness();
    await connect(h);
    const result = h.client.history("a.b");
    const after = await reconnect(h);
    const { requestId } = after.last("history");
    after.receive({ ...page, requestId, messages: [] });
    await expect(result).resolves.toMatchObject({ messages: [], tail: 3 });
  });

  it("fails with what the gateway says, and in time", async () => {
    const h = harness();
    const socket = await connect(h);
    const refused = h.client.history("a.b");
    const error = { code: "permission_denied", message: "not yours" };
    socket.receive({ type: "error", requestId: socket.last("history").requestId, error });
    await expect(refused).rejects.toMatchObject(error);
    const late = expect(h.client.history("a.b", { timeoutMs: 50 })).rejects.toMatchObject({ code: "deadline_exceeded" });
    await vi.advanceTimersByTimeAsync(50);
    await late;
  });

  it("fails when the line is closed for good", async () => {
    const h = harness();
    await connect(h);
    const lost = h.client.history("a.b");
    h.client.close();
    await expect(lost).rejects.toMatchObject({ code: "unavailable" });
  });
});
