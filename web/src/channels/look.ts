import type { Client, GapFrame, MagpieError, MessageFrame, Subscription } from "@magpie-bridge/client";
import { shallowRef, type ShallowRef } from "vue";
import { Pump } from "../logs/pump";

/** How many earlier messages a look begins with. */
export const historyMessages = 50;

/** How many entries a look holds; the oldest go. */
export const maxEntries = 10_000;

/** Something that came through the channel, numbered by the look. */
export type LookEntry =
  | { readonly kind: "message"; readonly seq: number; readonly frame: MessageFrame }
  | { readonly kind: "gap"; readonly seq: number; readonly frame: GapFrame };

/** What a look shows. */
export interface LookView {
  readonly entries: readonly LookEntry[];
  /** How many came since it was paused. */
  readonly waiting: number;
  /** Whether messages flow. */
  readonly live: boolean;
  /** Why there are none to come. */
  readonly ended: MagpieError | undefined;
}

/** ChannelLook watches one channel: its last messages, and what comes. */
export class ChannelLook {
  readonly view: ShallowRef<LookView> = shallowRef({ entries: [], waiting: 0, live: false, ended: undefined });

  readonly #subscription: Subscription;
  // A flood of messages is drawn once a frame.
  readonly #pump = new Pump(() => {
    this.#draw();
    return false;
  });
  #entries: LookEntry[] = [];
  #seq = 0;
  // What is shown while the look is paused, and the number of the first entry that is not.
  #held: readonly LookEntry[] | undefined;
  #heldAt = 0;
  #ended: MagpieError | undefined;

  /** Opens the look; an empty filter lets everything through. */
  constructor(client: Client, channel: string, filter: string) {
    this.#subscription = client.subscribe(channel, {
      from: { last: historyMessages },
      filter: filter === "" ? undefined : filter,
      onMessage: (frame) => {
        this.#add({ kind: "message", seq: this.#seq++, frame });
      },
      onGap: (frame) => {
        this.#add({ kind: "gap", seq: this.#seq++, frame });
      },
      onSubscribed: () => {
        this.#pump.request();
      },
      onEnd: (error) => {
        this.#ended = error;
        this.#pump.request();
      },
    });
  }

  /** Whether new entries are held back. */
  get paused(): boolean {
    return this.#held !== undefined;
  }

  /** Holds new entries back. */
  pause(): void {
    this.#held ??= [...this.#entries];
    this.#heldAt = this.#seq;
    this.#draw();
  }

  /** Shows all entries again. */
  resume(): void {
    this.#held = undefined;
    this.#draw();
  }

  /** Ends the look. */
  close(): void {
    this.#subscription.close();
    this.#pump.stop();
  }

  #add(entry: LookEntry): void {
    this.#entries.push(entry);
    // Cutting costs as much as was added since the last time: constant per entry.
    if (this.#entries.length >= 2 * maxEntries) this.#entries = this.#entries.slice(-maxEntries);
    this.#pump.request();
  }

  #draw(): void {
    this.view.value = {
      entries: this.#held ?? this.#entries.slice(-maxEntries),
      waiting: this.#held === undefined ? 0 : this.#seq - this.#heldAt,
      live: this.#subscription.active,
      ended: this.#ended,
    };
  }
}
