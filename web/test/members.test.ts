import type { Json, Member } from "@magpie-bridge/client";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { againMs, introduction, Members, pageMembers } from "../src/chat/members";
import { FakeLine } from "./fakeClient";

const channel = "chat.lobby";
const told = "sys.members.chat.lobby";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function asked() {
  const line = new FakeLine();
  const members = new Members(line.client, channel);
  line.client.connect();
  await vi.advanceTimersByTimeAsync(0);
  line.accept();
  const page = async (list: readonly Member[], count = list.length, next?: string) => {
    const { requestId } = line.last("presence");
    line.receive({ type: "members", requestId, channel, position: { epoch: "k1", offset: 7 }, count, members: list, next });
    await vi.advanceTimersByTimeAsync(0);
  };
  const follow = () => {
    const { requestId, from } = line.last("subscribe");
    expect(from).toEqual({ epoch: "k1", offset: 7 });
    line.receive({ type: "subscribed", requestId, channel: told, position: { epoch: "k1", offset: 7 }, tail: 7, recovered: true });
  };
  let offset = 7;
  const tell = (data: Json) => {
    line.receive({ type: "message", channel: told, offset: ++offset, timestamp: 1, data });
  };
  const people = () => members.view.value?.people.map(({ name, sessions }) => [name, sessions]);
  return { line, members, page, follow, tell, people };
}

const member = (sessionId: string, userId: string, info?: Json): Member => ({ sessionId, userId, info });

it("puts the tabs of one person together, and follows who comes and goes", async () => {
  const { members, page, follow, tell, people } = await asked();
  await page([member("s1", "dev", { name: "Ann" }), member("s2", "dev", { name: "Ann" }), member("s3", "bo", { name: 7 })]);
  expect(people()).toEqual([["Ann", 2], ["bo", 1]]);
  follow();
  tell({ event: "join", sessionId: "s4", userId: "cy" });
  // Known already: its new name counts, not another session.
  tell({ event: "join", sessionId: "s3", userId: "bo", info: { name: "Bo" } });
  tell({ event: "leave", sessionId: "s1", userId: "dev" });
  tell({ event: "leave", sessionId: "nobody", userId: "x" });
  tell("no object");
  expect(people()).toEqual([["Ann", 1], ["Bo", 1], ["cy", 1]]);
  expect(members.view.value?.count).toBe(3);
});

it("keeps the number right in a large room, and reads the page again", async () => {
  const { line, members, page, follow, tell } = await asked();
  const many = Array.from({ length: pageMembers }, (_, i) => member(`s${String(i)}`, `u${String(i)}`));
  await page(many, 1_500, "s99");
  expect(members.view.value).toMatchObject({ count: 1_500, more: 1_400 });
  follow();
  tell({ event: "count", count: 1_502, joined: [], left: [] });
  expect(members.view.value?.count).toBe(1_502);
  const requests = () => line.sent.filter(({ type }) => type === "presence").length;
  tell({ event: "count", count: 1_503, joined: [], left: [] });
  expect(requests()).toBe(1);
  await vi.advanceTimersByTimeAsync(againMs);
  expect(requests()).toBe(2);
  members.close();
});

it.each(["unimplemented", "failed_precondition", "permission_denied"])("shows nothing where the answer is %s", async (code) => {
  const { line, members } = await asked();
  line.receive({ type: "error", requestId: line.last("presence").requestId, error: { code, message: "no" } });
  await vi.advanceTimersByTimeAsync(againMs * 2);
  expect(members.view.value).toBeUndefined();
  expect(line.sent.filter(({ type }) => type === "subscribe")).toEqual([]);
});

it("introduces nobody without a name", () => {
  expect([introduction("  "), introduction(" Ann "), introduction("x".repeat(99))]).toEqual([undefined, { name: "Ann" }, { name: "x".repeat(40) }]);
});
