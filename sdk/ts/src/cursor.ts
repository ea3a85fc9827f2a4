import type { GapFrame, MessageFrame, SubscribedFrame } from "./frames.js";
import type { Position } from "./position.js";

/** What a cursor makes of a message. */
export type Verdict =
  /** The next one. */
  | "next"
  /** It was delivered before: not again. */
  | "repeated"
  /** Messages before it are missing, and the gateway did not say why. */
  | "jumped";

/** Cursor is the client's own position in one channel, and the judge of what comes next. */
export class Cursor {
  #position: Position | undefined;

  constructor(position?: Position) {
    this.#position = position;
  }

  /** The last position reached; undefined until the gateway named the first. */
  get position(): Position | undefined {
    return this.#position;
  }

  /**
   * Takes the position at which the gateway begins. Within one epoch a recovered subscription never goes back: what
   * the gateway repeats is then dropped. One that was not recovered begins where the gateway says.
   */
  start(frame: SubscribedFrame): void {
    const own = this.#position;
    const keep = frame.recovered && own?.epoch === frame.position.epoch && own.offset > frame.position.offset;
    if (!keep) this.#position = frame.position;
  }

  /** Judges a message, and moves on to it unless it is a repetition. */
  take(message: MessageFrame): Verdict {
    const own = this.#position;
    if (own === undefined) return "jumped";
    if (message.offset <= own.offset) return "repeated";
    const follows = message.offset === own.offset + 1 || (message.prev !== undefined && message.prev <= own.offset);
    this.#position = { epoch: own.epoch, offset: message.offset };
    return follows ? "next" : "jumped";
  }

  /** Moves past entries that were skipped. */
  skip(to: Position): void {
    if (to.epoch === this.#position?.epoch && to.offset > this.#position.offset) this.#position = to;
  }

  /** Moves past entries that are lost. The range of another epoch says nothing about this one. */
  lose(gap: GapFrame): void {
    if (gap.reason === "retention" || gap.reason === "damage") this.skip({ epoch: gap.epoch, offset: gap.toOffset ?? 0 });
  }
}
