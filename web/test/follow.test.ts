import { expect, it } from "vitest";
import { Follow } from "../src/logs/follow";

const viewport = 100;

it("follows at first, also while rows come", () => {
  const follow = new Follow();
  follow.moved({ top: 900, viewport, content: 1_000 });
  follow.scrolled({ top: 900, viewport, content: 1_400 });
  expect(follow.following).toBe(true);
});

it("pauses when the viewer scrolls up, and follows again from the end", () => {
  const follow = new Follow();
  follow.moved({ top: 900, viewport, content: 1_000 });
  follow.scrolled({ top: 700, viewport, content: 1_000 });
  expect(follow.following).toBe(false);
  follow.scrolled({ top: 800, viewport, content: 1_000 });
  expect(follow.following).toBe(false);
  follow.scrolled({ top: 898, viewport, content: 1_000 });
  expect(follow.following).toBe(true);
});

it("does not take a shorter list for a viewer who scrolls up", () => {
  const follow = new Follow();
  follow.moved({ top: 900, viewport, content: 1_000 });
  follow.scrolled({ top: 300, viewport, content: 400 });
  expect(follow.following).toBe(true);
});

it("stays paused at the end, where the button paused it", () => {
  const follow = new Follow();
  follow.moved({ top: 900, viewport, content: 1_000 });
  follow.pause();
  follow.scrolled({ top: 900, viewport, content: 1_000 });
  expect(follow.following).toBe(false);
  follow.resume();
  expect(follow.following).toBe(true);
});
