import { MagpieError } from "./errors.js";
import type { SubscribedFrame } from "./frames.js";
import type { Position } from "./position.js";
import { Signal, type Unlisten } from "./signal.js";
import type { SubscribeOptions, Subscription } from "./subscription.js";

/** A subscription that the gateway opened unasked, such as one that a backend gave this session. */
export interface SubscriptionOffer {
  readonly channel: string;
  /** Delivery starts after it. */
  readonly position: Position;
  /** The newest offset when the subscription was opened. */
  readonly tail: number;
  /** Takes the subscription. Only the listener itself may, before it returns: the messages follow at once. */
  accept(options: Omit<SubscribeOptions, "from" | "filter" | "positions">): Subscription;
}

/** Makes the subscription of an offer that was accepted. */
export type Adopt = (frame: SubscribedFrame, options: SubscribeOptions) => Subscription;

/** Offers asks the program about subscriptions that the gateway opened unasked. */
export class Offers {
  readonly #listeners = new Signal<SubscriptionOffer>();
  // Channels that the program left while the line was away: a session that is resumed has not heard of it.
  readonly #left = new Set<string>();

  constructor(private readonly adopt: Adopt) {}

  /** Adds a listener. */
  listen(listener: (offer: SubscriptionOffer) => void): Unlisten {
    return this.#listeners.listen(listener);
  }

  /** Notes that the program left a channel and the gateway could not be told. */
  left(channel: string): void {
    this.#left.add(channel);
  }

  /** Notes that the program wants a channel again. */
  joined(channel: string): void {
    this.#left.delete(channel);
  }

  /** Forgets what was left: the gateway begins without it. */
  forget(): void {
    this.#left.clear();
  }

  /** Offers a subscription to the listeners, unless it is one that the program has left. */
  offer(frame: SubscribedFrame): void {
    if (this.#left.delete(frame.channel)) return;
    const { channel, position, tail } = frame;
    let open = true;
    this.#listeners.emit({
      channel,
      position,
      tail,
      accept: (options) => {
        if (!open) throw new MagpieError("failed_precondition", `the subscription to ${channel} is not on offer any more`);
        open = false;
        return this.adopt(frame, options);
      },
    });
    open = false;
  }
}
