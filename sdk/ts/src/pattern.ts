import { Cursor } from "./cursor.js";
import type { SubscribedFrame } from "./frames.js";
import { type Position, sizeOf } from "./position.js";

/** Reports whether the name of a channel has wildcards: it is a pattern then. */
export function isPattern(channel: string): boolean {
  return /[*>]/.test(channel);
}

/** Reports whether a pattern stands for a channel: `*` for any one word, a last `>` for one or more. */
export function covers(pattern: string, channel: string): boolean {
  const wanted = pattern.split(".");
  const words = channel.split(".");
  if (wanted.at(-1) === ">") {
    if (words.length < wanted.length) return false;
    wanted.pop();
    words.length = wanted.length;
  }
  return wanted.length === words.length && wanted.every((want, i) => want === "*" || want === words[i]);
}

/** How many bytes of positions a subscribe frame has at most; what finds no room is repeated by the gateway, and dropped. */
const room = 16_384;

/** The most positions that a frame may have. */
const maxPositions = 1_000;

/**
 * Members are the channels of a pattern, each with a cursor. A cursor is kept over lines; frames of its channel count once
 * the channel has joined on this one.
 */
export class Members {
  readonly #cursors = new Map<string, Cursor>();
  readonly #joined = new Set<string>();

  constructor(positions: Readonly<Record<string, Position>> = {}) {
    for (const [channel, position] of Object.entries(positions)) this.#cursors.set(channel, new Cursor(position));
  }

  /** Where each channel stands. */
  get positions(): Record<string, Position> {
    const all: Record<string, Position> = {};
    for (const [channel, { position }] of this.#cursors) {
      if (position !== undefined) all[channel] = position;
    }
    return all;
  }

  /** The positions that fit into a frame; undefined when there are none. */
  get carried(): Record<string, Position> | undefined {
    let left = room;
    const fitting = Object.entries(this.positions).filter(([channel, position]) => (left -= sizeOf(channel, position)) >= 0);
    return fitting.length === 0 ? undefined : Object.fromEntries(fitting.slice(0, maxPositions));
  }

  /** Notes that no channel has joined yet, because the pattern is begun anew. */
  part(): void {
    this.#joined.clear();
  }

  /** Takes a channel that joins. What is repeated of it is dropped. */
  join({ channel, position, ...rest }: SubscribedFrame): void {
    const cursor = this.#cursors.get(channel) ?? new Cursor();
    this.#cursors.set(channel, cursor);
    this.#joined.add(channel);
    const own = cursor.position;
    if (own?.epoch === position.epoch && own.offset > position.offset) return;
    cursor.start({ channel, position, ...rest });
  }

  /** Forgets a channel that the gateway does not deliver any more. */
  leave(channel: string): void {
    this.#cursors.delete(channel);
    this.#joined.delete(channel);
  }

  /** The cursor of a channel that has joined. */
  of(channel: string): Cursor | undefined {
    return this.#joined.has(channel) ? this.#cursors.get(channel) : undefined;
  }
}
