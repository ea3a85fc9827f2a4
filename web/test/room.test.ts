import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { TabIdentity } from "../src/chat/identity";
import { place } from "../src/chat/grouping";
import { ChatRoom, maxEntries } from "../src/chat/room";
import { RoomBook } from "../src/chat/rooms";
import { FakeLine } from "./fakeClient";

const channel = "chat.lobby";

beforeEach(() => {
  localStorage.clear();
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function entered() {
  const line = new FakeLine();
  const room = new ChatRoom(line.client, channel, new TabIdentity(), new RoomBook([channel]));
  line.client.connect();
  await vi.advanceTimersByTimeAsync(0);
  line.accept();
  line.subscribed(0);
  return { line, room };
}

async function conversation(room: ChatRoom) {
  await vi.advanceTimersByTimeAsync(100);
  return room.entries.value.map((entry) => (entry.kind === "message" ? [entry.text, entry.own, entry.status] : [entry.missing]));
}

it("shows one's own message at once, and once", async () => {
  const { line, room } = await entered();
  room.send("Ann", "hello");
  expect(await conversation(room)).toEqual([["hello", true, "sending"]]);
  const { requestId, messageId, data } = line.last("publish");
  expect(data).toEqual({ username: "Ann", message: "hello" });
  line.receive({ type: "message", channel, offset: 1, timestamp: 1, messageId, data });
  line.receive({ type: "published", requestId, position: { epoch: "k1", offset: 1 } });
  expect(await conversation(room)).toEqual([["hello", true, "sent"]]);
});

it("shows what failed, and says it again under the same identifier", async () => {
  const { line, room } = await entered();
  room.send("Ann", "hello");
  const first = line.last("publish");
  line.receive({ type: "error", requestId: first.requestId, error: { code: "permission_denied", message: "no" } });
  expect(await conversation(room)).toEqual([["hello", true, "failed"]]);
  room.retry(first.messageId ?? "");
  const second = line.last("publish");
  expect(second.requestId).not.toBe(first.requestId);
  expect(second.messageId).toBe(first.messageId);
  expect(await conversation(room)).toEqual([["hello", true, "sending"]]);
  line.receive({ type: "error", requestId: second.requestId, error: { code: "permission_denied", message: "no" } });
  await conversation(room);
  room.discard(first.messageId ?? "");
  expect(await conversation(room)).toEqual([]);
});

it("marks the others' messages, skips what is none, and tells of gaps", async () => {
  const { line, room } = await entered();
  line.receive({ type: "gap", channel, epoch: "k1", fromOffset: 1, toOffset: 3, reason: "retention" });
  line.receive({ type: "message", channel, offset: 4, timestamp: 1, messageId: "x", data: { username: "Bo", message: "hi" } });
  line.receive({ type: "message", channel, offset: 5, timestamp: 1, text: "no chat message" });
  expect(await conversation(room)).toEqual([[3], ["hi", false, "sent"]]);
});

it("holds no more than it may", async () => {
  const { line, room } = await entered();
  for (let offset = 1; offset <= maxEntries + 5; offset++) {
    line.receive({ type: "message", channel, offset, timestamp: 1, data: { username: "Bo", message: String(offset) } });
  }
  const shown = await conversation(room);
  expect([shown.length, shown[0]?.[0]]).toEqual([maxEntries, "6"]);
});

it("puts messages of one person under one name until the day or the speaker changes", () => {
  const at = (time: number, username: string) =>
    ({ kind: "message", id: String(time), username, text: "", time, own: false, status: "sent" }) as const;
  const noon = new Date(2026, 10, 20, 12).getTime();
  const placed = place([at(noon, "a"), at(noon + 1_000, "a"), at(noon + 2_000, "b"), at(noon + 600_000, "b"), at(noon + 86_400_000, "b")]);
  expect(placed.map(({ newDay, continued }) => [newDay, continued])).toEqual([
    [true, false], [false, true], [false, false], [false, false], [true, false],
  ]);
});
