import type { Page } from "playwright-core";

declare global {
  interface Window {
    /** How long each click took from the mouse to the next picture, in milliseconds. */
    clickTimes?: number[];
  }
}

/** Begins to measure how quickly the page answers clicks. */
export async function watchClicks(page: Page): Promise<void> {
  await page.evaluate(() => {
    const times: number[] = [];
    window.clickTimes = times;
    window.addEventListener("click", (event) => {
      requestAnimationFrame(() => times.push(performance.now() - event.timeStamp));
    });
  });
}

/** Gives the time of the slowest click; fails when there were too few to tell. */
export async function worstClick(page: Page): Promise<number> {
  const times = await page.evaluate(() => window.clickTimes ?? []);
  if (times.length < 3) throw new Error(`only ${String(times.length)} clicks were measured`);
  return Math.max(...times);
}

/** A record as the list shows it. */
export interface SeenRow {
  readonly offset: number;
  readonly message: string;
}

/** Scrolls through the whole list and reads every record in its order. */
export async function collectRows(page: Page): Promise<SeenRow[]> {
  return page.evaluate(async () => {
    const viewport = document.querySelector<HTMLElement>("[data-test=list]");
    if (viewport === null) throw new Error("there is no list");
    // A browser without a screen may paint nothing for a while: that must not keep the list from being read.
    const frame = (): Promise<void> =>
      new Promise((resolve) => {
        requestAnimationFrame(() => {
          resolve();
        });
        setTimeout(resolve, 50);
      });
    const placed = new Map<number, { offset: number; message: string }>();
    for (let top = 0; top < viewport.scrollHeight; top += viewport.clientHeight) {
      if (viewport.clientHeight === 0) throw new Error("the list has no height");
      viewport.scrollTop = top;
      await frame();
      await frame();
      for (const row of viewport.querySelectorAll<HTMLElement>("[data-test=record]")) {
        const message = row.querySelector(".message")?.textContent ?? "";
        placed.set(Number(row.ariaPosInSet), { offset: Number(row.dataset["offset"]), message });
      }
    }
    return [...placed].sort(([a], [b]) => a - b).map(([, row]) => row);
  });
}
