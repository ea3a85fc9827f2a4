import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { TabIdentity } from "../src/chat/identity";
import { place } from "../src/chat/grouping";
import { ChatRoom } from "../src/chat/room";
import { maxRooms, RoomBook, roomChannel, roomName } from "../src/chat/rooms";
import { FakeLine } from "./fakeClient";

const lobby = "chat.lobby";

beforeEach(() => {
  localStorage.clear();
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("takes the names that channels may have", () => {
  expect([roomChannel("ops"), roomName("chat.ops")]).toEqual(["chat.ops", "ops"]);
  expect(["", "a.b", "a b", "*", ">", "<b>", "房间", "a".repeat(65)].map(roomChannel)).toEqual(Array(8).fill(undefined));
});

it("remembers rooms on this device, but no more than it may", () => {
  const book = new RoomBook([lobby]);
  expect(book.join("chat.ops")).toBe(true);
  expect(new RoomBook([lobby]).channels).toEqual([lobby, "chat.ops"]);
  book.markRead("chat.ops", { epoch: "k1", offset: 4 });
  expect(new RoomBook([lobby]).readUpTo("chat.ops")).toEqual({ epoch: "k1", offset: 4 });
  book.leave("chat.ops");
  book.leave(lobby);
  expect(new RoomBook([lobby]).channels).toEqual([lobby]);
  expect(book.readUpTo("chat.ops")).toBeUndefined();
  for (let i = 1; i < maxRooms; i++) expect(book.join(`chat.r${String(i)}`)).toBe(true);
  expect(book.join("chat.more")).toBe(false);
});

it("survives what somebody else has stored", () => {
  for (const stored of ["{", "null", "7", '["chat.ok",7,"sys.x","chat.a.b",null]']) {
    localStorage.setItem("magpie.chat.rooms", stored);
    localStorage.setItem("magpie.chat.read.chat.lobby", stored);
    const book = new RoomBook([lobby]);
    expect(book.channels.length).toBeLessThanOrEqual(2);
    expect(book.readUpTo(lobby)).toBeUndefined();
  }
  expect(new RoomBook([lobby]).channels).toEqual([lobby, "chat.ok"]);
});

async function entered(book = new RoomBook([lobby]), tail = 0, from = 0) {
  const line = new FakeLine();
  const room = new ChatRoom(line.client, lobby, new TabIdentity(), book);
  line.client.connect();
  await vi.advanceTimersByTimeAsync(0);
  line.accept();
  const { requestId } = line.last("subscribe");
  line.receive({ type: "subscribed", requestId, channel: lobby, position: { epoch: "k1", offset: from }, tail, recovered: true });
  const say = (offset: number, messageId = `m${String(offset)}`) => {
    line.receive({ type: "message", channel: lobby, offset, timestamp: 1, messageId, data: { username: "Bo", message: "hi" } });
  };
  const state = () => [room.unread.count.value, room.unread.first.value];
  return { line, room, book, say, state };
}

it("finds nothing new on a first visit, and then counts what nobody saw", async () => {
  const { room, say, state } = await entered(undefined, 2);
  expect(room.unread.settled).toBe(false);
  say(1);
  say(2);
  expect([room.unread.settled, ...state()]).toEqual([true, 0, undefined]);
  say(3);
  say(4);
  expect(state()).toEqual([2, "m3"]);
  room.unread.markRead();
  expect(state()).toEqual([0, "m3"]);
  room.unread.leave();
  expect(state()).toEqual([0, undefined]);
});

it("draws the line where this device has stopped reading, over a reload", async () => {
  const book = new RoomBook([lobby]);
  book.markRead(lobby, { epoch: "k1", offset: 1 });
  const { room, say, state } = await entered(book, 3);
  // Somebody looks at the page, but these came while it was away.
  room.unread.watched = true;
  for (const offset of [1, 2, 3]) say(offset);
  expect(state()).toEqual([2, "m2"]);
  await vi.advanceTimersByTimeAsync(100);
  expect(place(room.entries.value, room.unread.first.value).map(({ firstUnread }) => firstUnread)).toEqual([false, true, false]);
  room.unread.markRead();
  say(4);
  expect(state()).toEqual([0, "m2"]);
  await vi.advanceTimersByTimeAsync(100);
  expect(book.readUpTo(lobby)).toEqual({ epoch: "k1", offset: 4 });
});

it("takes everything of another numbering for new, and never one's own", async () => {
  const book = new RoomBook([lobby]);
  book.markRead(lobby, { epoch: "k0", offset: 90 });
  const { room, line, say, state } = await entered(book, 2);
  say(1);
  expect(state()).toEqual([1, "m1"]);
  room.send("Ann", "mine");
  say(2, line.last("publish").messageId);
  expect(state()).toEqual([1, "m1"]);
});

it("tells why a room cannot be read", async () => {
  const { line, room } = await entered();
  line.receive({ type: "unsubscribed", channel: lobby, code: "permission_denied", reason: "not yours" });
  expect(room.ended.value?.message).toBe("not yours");
});

it("goes on where it stands under another name, and says that name to the members", async () => {
  const { line, room, say } = await entered();
  say(1);
  room.introduce("Ann");
  const { info, from, requestId } = line.last("subscribe");
  expect([info, from]).toEqual([{ name: "Ann" }, { epoch: "k1", offset: 1 }]);
  line.receive({ type: "subscribed", requestId, channel: lobby, position: { epoch: "k1", offset: 1 }, tail: 1, recovered: true });
  say(2);
  room.introduce("Ann");
  expect(line.sent.filter(({ type }) => type === "subscribe").length).toBe(2);
  await vi.advanceTimersByTimeAsync(100);
  expect(room.entries.value.map(({ id }) => id)).toEqual(["m1", "m2"]);
});
