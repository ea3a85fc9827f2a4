import { describe, expect, it, vi } from "vitest";
import { maxPendingPublishes } from "../src/index.js";
import { connect, harness, reconnect, settle, useFakeClock } from "./harness.js";

useFakeClock();

const position = { epoch: "k1", offset: 7 };

describe("publishing", () => {
  it("gives the position", async () => {
    const h = harness();
    const socket = await connect(h);
    const result = h.client.publish("a.b", { data: { n: 1 }, tags: { region: "eu" } });
    const { requestId, messageId, data, tags } = socket.last("publish");
    expect({ data, tags }).toEqual({ data: { n: 1 }, tags: { region: "eu" } });
    expect(messageId).toMatch(/^[0-9a-f]{32}$/);
    socket.receive({ type: "published", requestId, position, duplicate: false });
    await expect(result).resolves.toEqual({ messageId, position, duplicate: false });
  });

  it("sends what is unanswered again on the next line: in order, under the same messageId", async () => {
    const h = harness();
    const first = h.client.publish("a.b", { data: 1 });
    const second = h.client.publish("a.b", { messageId: "mine", data: 2 });
    const before = await connect(h);
    const ids = before.frames.flatMap((frame) => (frame.type === "publish" ? [frame.messageId] : []));
    expect(ids).toHaveLength(2);
    const after = await reconnect(h);
    const again = after.frames.flatMap((frame) => (frame.type === "publish" ? [frame] : []));
    expect(again.map((frame) => frame.messageId)).toEqual(ids);
    for (const { requestId } of again) after.receive({ type: "published", requestId, position, duplicate: true });
    await expect(first).resolves.toMatchObject({ duplicate: true });
    await expect(second).resolves.toMatchObject({ messageId: "mine" });
  });

  it("takes no answer of an earlier line for one of this line", async () => {
    const h = harness();
    const before = await connect(h);
    const settled = vi.fn();
    h.client.publish("a.b", { data: 1 }).finally(settled).catch(() => undefined);
    const { requestId } = before.last("publish");
    const after = await reconnect(h);
    after.receive({ type: "published", requestId, position });
    await settle();
    expect(settled).not.toHaveBeenCalled();
    expect(after.last("publish").requestId).not.toBe(requestId);
  });

  it("waits and sends again what is refused for now", async () => {
    const h = harness();
    const socket = await connect(h);
    const result = h.client.publish("a.b", { data: 1 });
    const first = socket.last("publish");
    const error = { code: "resource_exhausted", message: "slow down", retryable: true, retryAfterMs: 500 };
    socket.receive({ type: "error", requestId: first.requestId, error });
    await vi.advanceTimersByTimeAsync(500);
    const second = socket.last("publish");
    expect(second.requestId).not.toBe(first.requestId);
    expect(second.messageId).toBe(first.messageId);
    socket.receive({ type: "published", requestId: second.requestId, position });
    await expect(result).resolves.toMatchObject({ position });
  });

  it("fails with what the gateway says", async () => {
    const h = harness();
    const socket = await connect(h);
    const result = h.client.publish("a.b", { data: 1 });
    const { requestId } = socket.last("publish");
    const error = { code: "permission_denied", message: "not yours", details: { rule: 3 } };
    socket.receive({ type: "error", requestId, error });
    await expect(result).rejects.toMatchObject({ name: "MagpieError", ...error, retryable: false });
  });

  it("fails in time, and when the line is closed for good", async () => {
    const h = harness({ publishTimeoutMs: 5_000 });
    const late = h.client.publish("a.b", { data: 1 });
    const told = expect(late).rejects.toMatchObject({ code: "deadline_exceeded" });
    await vi.advanceTimersByTimeAsync(5_000);
    await told;
    const socket = await connect(h);
    const lost = h.client.publish("a.b", { data: 2 });
    socket.end(4503, "disconnected by an operator");
    await expect(lost).rejects.toMatchObject({ code: "unavailable" });
  });

  it("gives each message of a batch its own outcome", async () => {
    const h = harness();
    const socket = await connect(h);
    const result = h.client.publishBatch("a.b", [{ messageId: "1", data: 1 }, { messageId: "2", data: 2 }]);
    const { requestId, messages } = socket.last("publish");
    expect(messages?.map(({ messageId }) => messageId)).toEqual(["1", "2"]);
    const error = { code: "invalid_argument", message: "too big" };
    socket.receive({ type: "published", requestId, results: [{ position, duplicate: false }, { error }] });
    await expect(result).resolves.toMatchObject([{ messageId: "1", position }, { messageId: "2", error }]);
  });

  it("refuses more than it can hold", async () => {
    const h = harness();
    await connect(h);
    for (let i = 0; i < maxPendingPublishes; i++) h.client.publish("a.b", { data: i }).catch(() => undefined);
    await expect(h.client.publish("a.b", { data: 0 })).rejects.toMatchObject({ code: "resource_exhausted" });
    h.client.close();
    await settle();
  });
});
