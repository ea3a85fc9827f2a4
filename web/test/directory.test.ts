import type { JsonObject } from "@magpie-bridge/client";
import { expect, it } from "vitest";
import { Directory, maxChannels } from "../src/channels/directory";
import { inOrder } from "../src/channels/order";

const signal = new AbortController().signal;

function channel(name: string, tail: number, epoch = "k1"): JsonObject {
  return { channel: name, epoch, head: 1, tail, messages: tail, bytes: 10 * tail, subscribers: 1 };
}

/** A directory whose gateway and clock are the test. */
function rig() {
  const state = { time: 0, pages: [] as JsonObject[] };
  const asked: JsonObject[] = [];
  const directory = new Directory(
    (_, body) => {
      asked.push(body);
      return Promise.resolve(state.pages.shift() ?? {});
    },
    () => state.time,
  );
  return { state, asked, directory };
}

it("reads all pages, and tells rates from two looks at the tails", async () => {
  const { state, asked, directory } = rig();
  state.pages = [{ channels: [channel("a", 10)], next: "a", total: 2 }, { channels: [channel("b", 5)], total: 2 }];
  const first = await directory.look("order.*", signal);
  expect(first.total).toBe(2);
  expect(first.rows.map(({ channel, rate }) => [channel, rate])).toEqual([["a", undefined], ["b", undefined]]);
  expect(asked).toEqual([
    { pattern: "order.*", limit: 1_000, after: undefined },
    { pattern: "order.*", limit: 1_000, after: "a" },
  ]);
  state.time = 2_000;
  state.pages = [{ channels: [channel("a", 30), channel("b", 4, "k2"), channel("c", 9)], total: 3 }];
  const second = await directory.look("", signal);
  expect(second.rows.map(({ rate }) => rate)).toEqual([10, 2, undefined]);
});

it("stops where the page holds no more, and survives an answer that is none", async () => {
  const { state, directory } = rig();
  state.pages = Array.from({ length: 12 }, (_, page) => ({
    channels: Array.from({ length: 1_000 }, (_, i) => channel(`c${String(page)}-${String(i)}`, 1)),
    next: `c${String(page)}-999`,
    total: 12_000,
  }));
  const { rows, total } = await directory.look("", signal);
  expect([rows.length, total, state.pages.length]).toEqual([maxChannels, 12_000, 2]);
  state.pages = [{ channels: [null, "x", { channel: 7, tail: "y" }], total: "many" }];
  const odd = await directory.look("", signal);
  expect(odd.rows.map(({ channel, tail }) => [channel, tail])).toEqual([["", 0], ["", 0], ["", 0]]);
});

it("orders by figures, the largest first, and those alike by name", async () => {
  const { state, directory } = rig();
  state.pages = [{ channels: [channel("a", 1), channel("b", 7), channel("c", 1)], total: 3 }];
  const { rows } = await directory.look("", signal);
  const names = (column: "channel" | "tail", reversed: boolean) => inOrder(rows, { column, reversed }).map((row) => row.channel).join("");
  expect([names("channel", false), names("channel", true), names("tail", false), names("tail", true)]).toEqual(["abc", "cba", "bac", "acb"]);
});
