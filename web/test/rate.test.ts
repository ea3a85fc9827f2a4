import { expect, it } from "vitest";
import { Rate, rateSeconds } from "../src/logs/rate";

it("averages whole seconds and leaves out the one under way", () => {
  const rate = new Rate();
  for (let second = 10; second < 13; second++) rate.add(30, second * 1_000);
  rate.add(500, 13_000);
  expect(rate.perSecond(13_500)).toBe(30);
  expect(rate.perSecond(17_500)).toBe(0);
});

it("remembers a minute", () => {
  const rate = new Rate();
  rate.add(5, 1_000);
  expect(rate.history(1_500).at(-1)).toBe(5);
  expect(rate.history(60_500)[0]).toBe(5);
  expect(rate.history(61_500)).toEqual(new Array<number>(rateSeconds).fill(0));
  expect(rate.history(500_000)).toEqual(new Array<number>(rateSeconds).fill(0));
});
