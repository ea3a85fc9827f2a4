import type { MessageFrame } from "@magpie-bridge/client";
import { describe, expect, it } from "vitest";
import { showAll } from "../src/logs/filter";
import { LogStore } from "../src/logs/store";

const message = (offset: number, level = "info", service = "order"): MessageFrame => ({
  type: "message",
  channel: "logs.local",
  offset,
  timestamp: offset,
  data: { level, service, message: `line ${String(offset)}` },
});

/** Works until nothing is left, with a clock that stands still. */
function finish(store: LogStore): number {
  let dropped = 0;
  while (store.busy) dropped += store.step(1, () => 0).dropped;
  return dropped;
}

function shown(store: LogStore): (number | string | undefined)[] {
  return Array.from({ length: store.view.length }, (_, index) => {
    const row = store.row(index);
    return row?.kind === "event" ? row.event.type : row?.offset;
  });
}

describe("the store", () => {
  it("keeps events in their place among the records", () => {
    const store = new LogStore(10);
    store.add(message(1));
    store.note({ type: "lost", code: 1006, reason: "" }, 5);
    store.add(message(2));
    finish(store);
    expect(shown(store)).toEqual([1, "lost", 2]);
  });

  it("holds no more than its capacity, and tells what went", () => {
    const store = new LogStore(3);
    for (let offset = 1; offset <= 5; offset++) store.add(message(offset, offset < 3 ? "error" : "info", `s${String(offset)}`));
    expect(finish(store)).toBe(2);
    expect(shown(store)).toEqual([3, 4, 5]);
    expect(store.dropped).toBe(2);
    expect(store.counts).toEqual([0, 0, 0, 3, 0, 0, 0]);
    expect([...store.services.keys()]).toEqual(["s3", "s4", "s5"]);
  });

  it("hides records, but never what happened to the line", () => {
    const store = new LogStore(10);
    store.add(message(1, "error"));
    store.note({ type: "gap", from: 2, to: 4, reason: "retention" }, 5);
    store.add(message(5));
    store.filter({ ...showAll, minimum: 5 });
    store.note({ type: "lost", code: 1006, reason: "" }, 6);
    store.add(message(6));
    store.add(message(7, "fatal"));
    finish(store);
    expect(shown(store)).toEqual([1, "gap", "lost", 7]);
    store.filter(showAll);
    finish(store);
    expect(shown(store)).toEqual([1, "gap", 5, "lost", 6, 7]);
  });

  it("works in slices: a step ends at its deadline, and the old view stands until the new one is whole", () => {
    const store = new LogStore(2_000);
    for (let offset = 1; offset <= 1_000; offset++) store.add(message(offset));
    let now = 0;
    const { more } = store.step(3, () => now++);
    expect(more).toBe(true);
    expect(store.view.length).toBeGreaterThan(0);
    expect(store.view.length).toBeLessThan(1_000);
    finish(store);
    expect(store.view.length).toBe(1_000);
    const { generation } = store;
    store.filter({ ...showAll, query: '"line 7"' });
    store.step(0, () => 0);
    expect([store.view.length, store.generation]).toEqual([1_000, generation]);
    finish(store);
    expect([store.view.length, store.generation]).toEqual([111, generation + 1]);
  });

  it("takes another filter while one is being applied", () => {
    const store = new LogStore(500);
    for (let offset = 1; offset <= 300; offset++) store.add(message(offset, offset % 2 === 0 ? "warn" : "info"));
    finish(store);
    store.filter({ ...showAll, minimum: 4 });
    store.step(0, () => 0);
    store.filter({ ...showAll, query: "line 299" });
    finish(store);
    expect(shown(store)).toEqual([299]);
  });

  it("begins anew when it is cleared", () => {
    const store = new LogStore(3);
    for (let offset = 1; offset <= 5; offset++) store.add(message(offset));
    finish(store);
    store.clear();
    expect([store.view.length, store.dropped, store.counts[3], store.services.size]).toEqual([0, 0, 0, 0]);
    store.add(message(6));
    finish(store);
    expect(shown(store)).toEqual([6]);
  });
});
