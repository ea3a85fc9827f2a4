import type { Client, MessageFrame, Subscription } from "@magpie-bridge/client";
import { shallowRef, type ShallowRef } from "vue";
import { isObject } from "../logs/record";
import type { TabIdentity } from "./identity";

/** How often somebody who types says so at most. */
export const sayMs = 2_000;

/** How long it is shown that somebody types. */
export const showMs = 4_000;

/** How many people are shown, and how much of their names. */
const maxTyping = 5;
const maxName = 40;

/** Typing tells a room who is writing to it. What it says is stale at once: nobody reads it later. */
export class Typing {
  /** Who is writing, the last to begin last. */
  readonly names: ShallowRef<readonly string[]> = shallowRef([]);

  readonly #channel: string;
  readonly #subscription: Subscription;
  readonly #until = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saidAt = -Infinity;

  constructor(
    private readonly client: Client,
    room: string,
    private readonly identity: TabIdentity,
  ) {
    this.#channel = `${room}.typing`;
    this.#subscription = client.subscribe(this.#channel, {
      onMessage: (frame) => {
        this.#take(frame);
      },
    });
  }

  /** Says that somebody types here, unless it was said just now. */
  say(username: string): void {
    if (username === "" || Date.now() - this.#saidAt < sayMs || !this.#subscription.active) return;
    this.#saidAt = Date.now();
    // Whoever may not say it still may write.
    this.client.publish(this.#channel, { messageId: this.identity.nextId(), data: { username } }).catch(() => undefined);
  }

  /** Notes that somebody has said what was being written. */
  done(username: string): void {
    if (this.#until.delete(username)) this.#show();
  }

  /** Notes that one's own message is written. */
  sent(): void {
    this.#saidAt = -Infinity;
  }

  /** Ends it. */
  close(): void {
    clearTimeout(this.#timer);
    this.#subscription.close();
  }

  #take({ data, messageId = "" }: MessageFrame): void {
    if (!isObject(data) || typeof data["username"] !== "string" || this.identity.owns(messageId)) return;
    const username = data["username"].slice(0, maxName);
    if (username.trim() === "" || (this.#until.size >= maxTyping && !this.#until.has(username))) return;
    this.#until.set(username, Date.now() + showMs);
    this.#show();
  }

  #show(): void {
    const now = Date.now();
    for (const [name, until] of this.#until) if (until <= now) this.#until.delete(name);
    this.names.value = [...this.#until.keys()];
    clearTimeout(this.#timer);
    if (this.#until.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#show();
    }, Math.min(...this.#until.values()) - now);
  }
}
