import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Poller, pollMs } from "../src/channels/poller";

let hidden = false;

beforeEach(() => {
  vi.useFakeTimers();
  hidden = false;
  vi.spyOn(document, "hidden", "get").mockImplementation(() => hidden);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function hide(value: boolean): void {
  hidden = value;
  document.dispatchEvent(new Event("visibilitychange"));
}

it("works while somebody sees the page, a while after it was done", async () => {
  const work = vi.fn(() => Promise.resolve());
  const poller = new Poller(work);
  poller.start();
  await vi.advanceTimersByTimeAsync(pollMs * 2);
  expect(work).toHaveBeenCalledTimes(3);
  hide(true);
  await vi.advanceTimersByTimeAsync(pollMs * 5);
  expect(work).toHaveBeenCalledTimes(3);
  hide(false);
  expect(work).toHaveBeenCalledTimes(4);
  poller.stop();
  await vi.advanceTimersByTimeAsync(pollMs * 5);
  hide(false);
  expect(work).toHaveBeenCalledTimes(4);
});

it("aborts what is not wanted any more, and never has two at a time", async () => {
  const signals: AbortSignal[] = [];
  const poller = new Poller((signal) => {
    signals.push(signal);
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        resolve();
      });
    });
  });
  poller.start();
  await vi.advanceTimersByTimeAsync(pollMs * 3);
  poller.now();
  await vi.advanceTimersByTimeAsync(pollMs * 3);
  expect(signals.map((signal) => signal.aborted)).toEqual([true, false]);
  poller.stop();
  expect(signals[1]?.aborted).toBe(true);
});
