import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { TabIdentity } from "../src/chat/identity";
import { sayMs, showMs, Typing } from "../src/chat/typing";
import { FakeLine } from "./fakeClient";

const channel = "chat.lobby.typing";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function entered() {
  const line = new FakeLine();
  const typing = new Typing(line.client, "chat.lobby", new TabIdentity());
  line.client.connect();
  await vi.advanceTimersByTimeAsync(0);
  line.accept();
  line.subscribed(0);
  let offset = 0;
  const hear = (data: string | { username: string | number }, messageId = "x") => {
    line.receive({ type: "message", channel, offset: ++offset, timestamp: 1, messageId, data });
  };
  return { line, typing, hear, published: () => line.sent.filter(({ type }) => type === "publish").length };
}

it("says at most once in a while that somebody types", async () => {
  const { line, typing, published } = await entered();
  expect(line.last("subscribe")).toMatchObject({ channel });
  expect(line.last("subscribe").from).toBeUndefined();
  typing.say("");
  expect(published()).toBe(0);
  typing.say("Ann");
  typing.say("Ann");
  expect(line.last("publish")).toMatchObject({ channel, data: { username: "Ann" } });
  expect(published()).toBe(1);
  await vi.advanceTimersByTimeAsync(sayMs);
  typing.say("Ann");
  expect(published()).toBe(2);
  // The next message is news at once.
  typing.sent();
  typing.say("Ann");
  expect(published()).toBe(3);
});

it("shows for a while who types, but not this tab, and not after the message came", async () => {
  const { line, typing, hear } = await entered();
  typing.say("Ann");
  hear({ username: "Ann" }, line.last("publish").messageId);
  expect(typing.names.value).toEqual([]);
  hear({ username: "Bo" });
  await vi.advanceTimersByTimeAsync(showMs / 2);
  hear({ username: "Cy" });
  expect(typing.names.value).toEqual(["Bo", "Cy"]);
  await vi.advanceTimersByTimeAsync(showMs / 2);
  expect(typing.names.value).toEqual(["Cy"]);
  typing.done("Cy");
  expect(typing.names.value).toEqual([]);
});

it("bounds what others can make it show", async () => {
  const { typing, hear } = await entered();
  hear("no object");
  hear({ username: 7 });
  hear({ username: "  " });
  expect(typing.names.value).toEqual([]);
  for (let i = 0; i < 100; i++) hear({ username: `${String(i)}${"x".repeat(1_000)}` });
  expect(typing.names.value.length).toBe(5);
  expect(typing.names.value[0]?.length).toBe(40);
});

it("says nothing that would wait for the line", async () => {
  const { line, typing, published } = await entered();
  line.end(1006);
  typing.say("Ann");
  expect(published()).toBe(0);
});
