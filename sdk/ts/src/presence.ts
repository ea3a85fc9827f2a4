import type { MagpieError } from "./errors.js";
import type { MembersFrame } from "./frames.js";
import { Repeater, type RepeaterHost } from "./repeater.js";

/** Which members of a channel are wanted. */
export interface PresenceOptions {
  /** The next of the page before. */
  readonly after?: string;
  /** The most members of a page, up to 1,000; 100 when absent. */
  readonly limit?: number;
  /** How long to wait for a page, over broken lines too. */
  readonly timeoutMs?: number;
}

/** Names the channel that tells of the members of another. */
export function membersChannel(channel: string): string {
  return `sys.members.${channel}`;
}

/** Names the channel that tells when a user comes online and goes. */
export function onlineChannel(userId: string): string {
  return `sys.online.${userId}`;
}

/** Roster reads pages of members, and asks for them again when the line broke. */
export class Roster {
  readonly #repeater: Repeater<"members">;

  constructor(
    host: RepeaterHost,
    private readonly timeoutMs: number,
  ) {
    this.#repeater = new Repeater(host, "members", "the page of members");
  }

  /** Reads one page. */
  page(channel: string, options: PresenceOptions): Promise<MembersFrame> {
    const { after, limit, timeoutMs = this.timeoutMs } = options;
    return this.#repeater.submit(timeoutMs, (requestId) => ({ type: "presence", requestId, channel, limit, after }));
  }

  /** Reads one page after another, to the end. */
  async *pages(channel: string, options: PresenceOptions): AsyncGenerator<MembersFrame, void, undefined> {
    let after = options.after;
    for (;;) {
      const page = await this.page(channel, { ...options, after });
      yield page;
      if (page.next === undefined) return;
      after = page.next;
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
