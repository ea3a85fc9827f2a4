import { expect, it } from "vitest";
import { Ring } from "../src/logs/ring";
import { View } from "../src/logs/view";

const fill = (ring: Ring<{ seq: number }>, count: number) =>
  Array.from({ length: count }, () => ring.push({ seq: ring.next })?.seq);

it("a ring holds the newest and names what it drops", () => {
  const ring = new Ring<{ seq: number }>(3);
  expect(fill(ring, 5)).toEqual([undefined, undefined, undefined, 0, 1]);
  expect([ring.first, ring.next, ring.size]).toEqual([2, 5, 3]);
  expect([1, 2, 3, 4, 5].map((seq) => ring.get(seq)?.seq)).toEqual([undefined, 2, 3, 4, undefined]);
});

it("a cleared ring goes on counting and drops nothing until it is full again", () => {
  const ring = new Ring<{ seq: number }>(3);
  fill(ring, 4);
  ring.clear();
  expect(ring.size).toBe(0);
  expect(ring.get(3)).toBeUndefined();
  expect(fill(ring, 4)).toEqual([undefined, undefined, undefined, 4]);
  expect(ring.get(7)?.seq).toBe(7);
});

it("a view loses its oldest rows and keeps its indices right", () => {
  const view = new View();
  for (let seq = 0; seq < 100; seq += 2) view.push(seq);
  expect(view.length).toBe(50);
  expect(view.dropBefore(31)).toBe(16);
  expect(view.dropBefore(31)).toBe(0);
  expect([view.length, view.at(0), view.at(33), view.at(34)]).toEqual([34, 32, 98, undefined]);
  expect([view.indexOf(0), view.indexOf(32), view.indexOf(33), view.indexOf(200)]).toEqual([0, 0, 1, 34]);
  expect(view.dropBefore(1_000)).toBe(34);
  expect(view.length).toBe(0);
  view.push(1_000);
  expect(view.at(0)).toBe(1_000);
});
