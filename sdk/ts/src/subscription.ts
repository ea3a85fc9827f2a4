import type { CancelTimer, Clock } from "./clock.js";
import { Cursor } from "./cursor.js";
import { MagpieError } from "./errors.js";
import type { Answer, Frame, GapFrame, MessageFrame, SubscribedFrame, UnsubscribedFrame } from "./frames.js";
import type { Json } from "./payload.js";
import { type Position, sizeOf, type Start } from "./position.js";
import type { RequestTable } from "./requests.js";

/** The wait before a refused subscribe is tried again, where the gateway names none. */
const retryMs = 1_000;

/** What a subscription wants and whom it tells. */
export interface SubscribeOptions {
  /** Where to begin the first time; later lines go on from the position reached. Absent: from now. */
  readonly from?: Start;
  /** Which messages are wanted, in the gateway's filter language. */
  readonly filter?: string;
  /** What this client publishes on its line is not delivered to it. */
  readonly excludeSelf?: boolean;
  /** Of each key only the newest message is delivered, where the channel's namespace keeps an index of them. */
  readonly conflate?: boolean;
  /** What the client says of itself to the other members of the channel, where that has presence. */
  readonly info?: Json;
  /** Takes each message once, in offset order. */
  onMessage(message: MessageFrame): void;
  /** Hears of messages that cannot be delivered any more. */
  onGap?(gap: GapFrame): void;
  /** Hears that messages were skipped on purpose up to this position: newer ones of their keys follow. */
  onPosition?(position: Position): void;
  /** Hears that delivery begins, on each line. */
  onSubscribed?(frame: SubscribedFrame): void;
  /** Hears of a fault that does not end the subscription. */
  onError?(error: MagpieError): void;
  /** Hears that the gateway ended or refused the subscription. */
  onEnd?(error: MagpieError): void;
}

/** What a subscription needs of its client. */
export interface SubscriptionHost {
  readonly clock: Clock;
  readonly requests: RequestTable;
  readonly connected: boolean;
  send(frame: Frame): void;
  forget(subscription: Subscription): void;
}

/** Subscription is a cursor over one channel. It survives the line: each new one goes on where it stood. */
export class Subscription {
  readonly #cursor = new Cursor();
  #state: "pending" | "active" | "ended" = "pending";
  #duplicates = 0;
  // Whether its position was in the connect frame: if the session is resumed, the gateway opens it unasked.
  #carried = false;
  #cancelRetry: CancelTimer | undefined;

  /** Made by {@link Client.subscribe}. */
  constructor(
    readonly channel: string,
    private readonly options: SubscribeOptions,
    private readonly host: SubscriptionHost,
  ) {}

  /** The last position reached; undefined until the gateway first answered. */
  get position(): Position | undefined {
    return this.#cursor.position;
  }

  /** How many messages came a second time and were dropped. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** Whether messages flow: false while the line is away and after the end. */
  get active(): boolean {
    return this.#state === "active";
  }

  /** Ends the subscription. Nothing is delivered after this. */
  close(): void {
    if (this.#state === "ended") return;
    this.#finish();
    if (this.host.connected) {
      const requestId = this.host.requests.open(() => undefined);
      this.host.send({ type: "unsubscribe", requestId, channel: this.channel });
    }
  }

  // A resumed session does not know what the client says with each subscribe.
  get #resumable(): boolean {
    const { filter, info, excludeSelf, conflate } = this.options;
    return filter === undefined && info === undefined && excludeSelf !== true && conflate !== true;
  }

  /** Gives the position to be sent with the connect frame, if there is room for it. For the client. */
  carry(room: number): Position | undefined {
    const { position } = this.#cursor;
    this.#carried = position !== undefined && this.#resumable && sizeOf(this.channel, position) <= room;
    return this.#carried ? position : undefined;
  }

  /** Asks for delivery on a new line, unless the session was resumed and carries the subscription. For the client. */
  resume(resumed: boolean): void {
    this.#carried &&= resumed;
    if (!this.#carried) this.start();
  }

  /** Asks for delivery. For the client. */
  start(): void {
    if (this.#state === "ended" || !this.host.connected) return;
    const requestId = this.host.requests.open((answer) => {
      this.#answered(answer);
    });
    const from = this.#cursor.position ?? this.options.from;
    const { filter, info, excludeSelf, conflate } = this.options;
    this.host.send({ type: "subscribe", requestId, channel: this.channel, from, filter, info, excludeSelf, conflate });
  }

  /** Begins with what the gateway opened unasked. For the client. */
  adopt(frame: SubscribedFrame): void {
    this.#answered(frame);
  }

  /** Notes that the line is gone. For the client. */
  suspend(): void {
    this.#cancelRetry?.();
    if (this.#state === "active") this.#state = "pending";
  }

  /** Takes a frame about this channel. For the client. */
  take(frame: Frame): void {
    if (this.#carried && this.#state === "pending") {
      if (frame.type === "subscribed") this.#answered(frame);
      else if (frame.type === "unsubscribed") this.#refused(endOf(frame));
      else return;
      this.#carried = false;
      return;
    }
    // Frames of an earlier subscription to the channel may still be on their way until this one is answered.
    if (this.#state !== "active") return;
    switch (frame.type) {
      case "subscribed":
        // The gateway moved it.
        this.#answered(frame);
        return;
      case "message":
        this.#message(frame);
        return;
      case "gap":
        this.#cursor.lose(frame);
        this.options.onGap?.(frame);
        return;
      case "position":
        this.#cursor.skip(frame.position);
        this.options.onPosition?.(frame.position);
        return;
      case "unsubscribed":
        this.#end(endOf(frame));
        return;
    }
  }

  #answered(answer: Answer): void {
    if (this.#state === "ended") return;
    if (answer.type === "subscribed") {
      this.#cursor.start(answer);
      this.#state = "active";
      this.options.onSubscribed?.(answer);
    } else if (answer.type === "error") {
      this.#refused(MagpieError.fromBody(answer.error));
    }
  }

  #refused(error: MagpieError): void {
    if (!error.retryable) {
      this.#end(error);
      return;
    }
    this.options.onError?.(error);
    this.#cancelRetry = this.host.clock.after(error.retryAfterMs ?? retryMs, () => {
      this.start();
    });
  }

  #message(message: MessageFrame): void {
    const before = this.#cursor.position;
    switch (this.#cursor.take(message)) {
      case "repeated":
        this.#duplicates++;
        return;
      case "jumped":
        this.options.onError?.(jump(this.channel, before, message));
    }
    this.options.onMessage(message);
  }

  #end(error: MagpieError): void {
    this.#finish();
    this.options.onEnd?.(error);
  }

  #finish(): void {
    this.#state = "ended";
    this.#cancelRetry?.();
    this.host.forget(this);
  }
}

function jump(channel: string, before: Position | undefined, message: MessageFrame): MagpieError {
  const offset = before === undefined ? "an unknown offset" : String(before.offset);
  return new MagpieError(
    "data_loss",
    `messages of ${channel} between ${offset} and ${String(message.offset)} are missing and the gateway did not say why`,
  );
}

function endOf(frame: UnsubscribedFrame): MagpieError {
  const code = frame.code ?? "unknown";
  const retryable = code === "unavailable" || code === "resource_exhausted";
  return MagpieError.fromBody({ code, message: frame.reason ?? "the subscription was ended", retryable });
}
