import type { Position } from "@magpie-bridge/client";
import { shallowRef, type ShallowRef } from "vue";

/** Where a device keeps how far it has read. */
export interface ReadMarks {
  readUpTo(channel: string): Position | undefined;
  markRead(channel: string, position: Position): void;
}

/** Unread counts what came to a room that nobody at this device has seen, and knows where that begins. */
export class Unread {
  /** How many messages of others were not seen. */
  readonly count: ShallowRef<number> = shallowRef(0);
  /** The identifier of the first message that was not seen; it stays after they were, until the room is left. */
  readonly first: ShallowRef<string | undefined> = shallowRef();

  /** Whether somebody sees the newest message as it comes. */
  watched = false;

  #read: Position | undefined;
  #newest = 0;
  #tail = 0;
  #begun = false;
  #stored = true;

  constructor(
    private readonly channel: string,
    private readonly marks: ReadMarks,
  ) {
    this.#read = marks.readUpTo(channel);
  }

  /** Whether everything has come that was in the room when it was subscribed. */
  get settled(): boolean {
    return this.#begun && this.#newest >= this.#tail;
  }

  /** Notes that delivery begins. On a first visit nothing is new. */
  begin({ epoch, offset }: Position, tail: number): void {
    if (this.#read?.epoch !== epoch) {
      this.#read = { epoch, offset: this.#read === undefined ? tail : 0 };
      this.#stored = false;
    }
    this.#newest = offset;
    this.#tail = tail;
    this.#begun = true;
  }

  /** Notes that the room has come as far as this offset, also by what is no message. */
  pass(offset: number): void {
    this.#newest = Math.max(this.#newest, offset);
  }

  /** Counts a message that came. */
  add(id: string, offset: number, own: boolean): void {
    this.pass(offset);
    if (this.#read === undefined || offset <= this.#read.offset) return;
    // What was missed is new also to somebody who watched while the line was away.
    const seen = own || (this.watched && offset > this.#tail);
    if (seen && this.count.value === 0) {
      this.#advance();
    } else if (!own) {
      if (this.count.value === 0) this.first.value = id;
      this.count.value++;
    }
  }

  /** Notes that everything was seen. */
  markRead(): void {
    this.count.value = 0;
    this.#advance();
    this.store();
  }

  /** Notes that the room is left: what was seen is not new any more. */
  leave(): void {
    this.watched = false;
    if (this.count.value === 0) this.first.value = undefined;
  }

  /** Writes down how far the room was read, where that has changed. */
  store(): void {
    if (this.#stored || this.#read === undefined) return;
    this.#stored = true;
    this.marks.markRead(this.channel, this.#read);
  }

  #advance(): void {
    if (this.#read === undefined || this.#newest <= this.#read.offset) return;
    this.#read = { epoch: this.#read.epoch, offset: this.#newest };
    this.#stored = false;
  }
}
