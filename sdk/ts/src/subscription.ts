import type { CancelTimer, Clock } from "./clock.js";
import { Cursor } from "./cursor.js";
import { MagpieError } from "./errors.js";
import type { Answer, Frame, GapFrame, MessageFrame, SubscribedFrame, UnsubscribedFrame } from "./frames.js";
import type { Json } from "./payload.js";
import { covers, isPattern, Members } from "./pattern.js";
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
  /**
   * With a pattern: where channels begin that do not begin at `from`, such as the {@link Subscription.positions} of before.
   * `from` is then best `{ offset: 0 }`, so that what has appeared since comes from its first message on.
   */
  readonly positions?: Readonly<Record<string, Position>>;
  /** Takes each message once, in the offset order of its channel. */
  onMessage(message: MessageFrame): void;
  /** Hears of messages that cannot be delivered any more. */
  onGap?(gap: GapFrame): void;
  /** Hears that messages were skipped on purpose up to this position: newer ones of their keys follow. */
  onPosition?(position: Position, channel: string): void;
  /** Hears that delivery begins, on each line; of a pattern also for each channel that joins by it. */
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

/** Subscription is a cursor over one channel, or over each that a pattern stands for. It survives the line: each new one goes on where it stood. */
export class Subscription {
  readonly #cursor = new Cursor();
  // The channels of a pattern; undefined for a channel's name.
  readonly #members: Members | undefined;
  #opened = false;
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
  ) {
    if (isPattern(channel)) this.#members = new Members(options.positions);
  }

  /** The last position reached; undefined until the gateway first answered, and of a pattern. */
  get position(): Position | undefined {
    return this.#cursor.position;
  }

  /** The last position reached in each channel: those of a pattern, or the only one. */
  get positions(): Readonly<Record<string, Position>> {
    if (this.#members !== undefined) return this.#members.positions;
    return this.position === undefined ? {} : { [this.channel]: this.position };
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
    if (this.host.connected) this.#leave();
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
    if (this.#carried) return;
    // A session that is resumed has the pattern, but not from where it stands here: it is begun anew.
    if (resumed && this.#members !== undefined && this.#opened) this.#leave();
    this.start();
  }

  /** Asks for delivery. For the client. */
  start(): void {
    if (this.#state === "ended" || !this.host.connected) return;
    const requestId = this.host.requests.open((answer) => {
      this.#answered(answer);
    });
    const { channel, options } = this;
    const { filter, info, excludeSelf, conflate } = options;
    const from = this.#cursor.position ?? (this.#members !== undefined && this.#opened ? { offset: 0 } : options.from);
    this.#members?.part();
    const positions = this.#members?.carried;
    this.host.send({ type: "subscribe", requestId, channel, from, filter, info, positions, excludeSelf, conflate });
  }

  /** Takes a channel that joins by the pattern. For the client. */
  join(frame: SubscribedFrame): void {
    if (this.#state !== "active" || this.#members === undefined) return; // it is about to be begun anew
    this.#members.join(frame);
    this.options.onSubscribed?.(frame);
  }

  /** Takes a frame about a channel that the pattern may stand for. For the client. */
  takeOf(channel: string, frame: Frame): void {
    if (this.#state !== "active" || this.#members === undefined) return;
    const cursor = this.#members.of(channel);
    if (cursor !== undefined) this.#deliver(cursor, frame);
    if (frame.type === "unsubscribed" && covers(this.channel, channel)) {
      this.#members.leave(channel);
      const { code, message, retryable } = endOf(frame);
      this.options.onError?.(MagpieError.fromBody({ code, message: `${channel}: ${message}`, retryable }));
    }
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
      case "unsubscribed":
        this.#end(endOf(frame));
        return;
      default:
        this.#deliver(this.#cursor, frame);
    }
  }

  #deliver(cursor: Cursor, frame: Frame): void {
    switch (frame.type) {
      case "message":
        this.#message(cursor, frame);
        return;
      case "gap":
        cursor.lose(frame);
        this.options.onGap?.(frame);
        return;
      case "position":
        cursor.skip(frame.position);
        this.options.onPosition?.(frame.position, frame.channel);
        return;
    }
  }

  #leave(): void {
    const requestId = this.host.requests.open(() => undefined);
    this.host.send({ type: "unsubscribe", requestId, channel: this.channel });
  }

  #answered(answer: Answer): void {
    if (this.#state === "ended") return;
    if (answer.type === "subscribed") {
      if (this.#members === undefined) this.#cursor.start(answer);
      this.#opened = true;
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

  #message(cursor: Cursor, message: MessageFrame): void {
    const before = cursor.position;
    switch (cursor.take(message)) {
      case "repeated":
        this.#duplicates++;
        return;
      case "jumped":
        this.options.onError?.(jump(message.channel, before, message));
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
