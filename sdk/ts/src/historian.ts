import type { MagpieError } from "./errors.js";
import type { PageFrame } from "./frames.js";
import type { Start } from "./position.js";
import { Repeater, type RepeaterHost } from "./repeater.js";

/** Which part of a channel's past to read. */
export interface HistoryOptions {
  /**
   * Where to begin: with the messages after it or, in reverse, with those before it. Absent: with the oldest message kept
   * or, in reverse, with the newest.
   */
  readonly from?: Start;
  /** The most messages of a page, up to 1,000; 100 when absent. */
  readonly limit?: number;
  /** The newest first. */
  readonly reverse?: boolean;
  /** How long to wait for a page, over broken lines too. */
  readonly timeoutMs?: number;
}

/** Historian reads pages of channels, and asks for them again when the line broke. */
export class Historian {
  readonly #repeater: Repeater<"page">;

  constructor(
    host: RepeaterHost,
    private readonly timeoutMs: number,
  ) {
    this.#repeater = new Repeater(host, "page", "the page");
  }

  /** Reads one page. */
  page(channel: string, options: HistoryOptions): Promise<PageFrame> {
    const { from, limit, reverse, timeoutMs = this.timeoutMs } = options;
    return this.#repeater.submit(timeoutMs, (requestId) => ({ type: "history", requestId, channel, from, limit, reverse }));
  }

  /** Reads one page after another, to the end. */
  async *pages(channel: string, options: HistoryOptions): AsyncGenerator<PageFrame, void, undefined> {
    let from = options.from;
    for (;;) {
      const page = await this.page(channel, { ...options, from });
      yield page;
      if (page.next === undefined) return;
      from = page.next;
    }
  }

  /** Asks again on a new line for what has not come. */
  resume(): void {
    this.#repeater.resume();
  }

  /** Notes that the line is gone. */
  suspend(): void {
    this.#repeater.suspend();
  }

  /** Gives up on everything that has not come. */
  fail(error: MagpieError): void {
    this.#repeater.fail(error);
  }
}
