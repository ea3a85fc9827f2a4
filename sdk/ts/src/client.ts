import { Caller, type CallOptions } from "./caller.js";
import type { CloseReason } from "./close.js";
import { Connection } from "./connection.js";
import { MagpieError } from "./errors.js";
import type { Frame, PageFrame, Publication, ReplyFrame, SubscribedFrame } from "./frames.js";
import { Historian, type HistoryOptions } from "./historian.js";
import { type ClientOptions, resolveOptions } from "./options.js";
import type { Payload } from "./payload.js";
import { type Position, sizeOf } from "./position.js";
import { type BatchResult, Publisher, type PublishResult } from "./publisher.js";
import { RequestTable } from "./requests.js";
import { Signal, type Unlisten } from "./signal.js";
import type { ConnectionState } from "./state.js";
import { type SubscribeOptions, Subscription, type SubscriptionHost } from "./subscription.js";

/** How many bytes the positions of a connect frame may take, which has to fit into what the gateway accepts. */
const positionsRoom = 32 * 1024;

/**
 * Client keeps a line to a Magpie gateway. What a program asked for outlives the line: after a reconnect its
 * subscriptions go on where they stood and its unanswered publishes are sent again.
 */
export class Client {
  readonly #connection: Connection;
  readonly #requests = new RequestTable();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #publisher: Publisher;
  readonly #historian: Historian;
  readonly #caller: Caller;
  readonly #states = new Signal<ConnectionState>();
  readonly #errors = new Signal<MagpieError>();
  readonly #host: SubscriptionHost;

  /** Makes a client at rest; {@link connect} opens its line. */
  constructor(options: ClientOptions) {
    const resolved = resolveOptions(options);
    const connection = new Connection(resolved, {
      state: (state) => { this.#states.emit(state); },
      positions: () => this.#carry(),
      connected: ({ resumed }) => { this.#resume(resumed); },
      frame: (frame) => { this.#take(frame); },
      fault: (error) => { this.#errors.emit(error); },
      disconnected: (reason) => { this.#suspend(reason); },
    });
    this.#connection = connection;
    this.#host = {
      clock: resolved.clock,
      requests: this.#requests,
      get connected() {
        return connection.connected;
      },
      send: (frame) => { connection.send(frame); },
      forget: (subscription) => { this.#forget(subscription); },
    };
    this.#publisher = new Publisher(this.#host, resolved.publishTimeoutMs);
    this.#historian = new Historian(this.#host, resolved.callTimeoutMs);
    this.#caller = new Caller(this.#host, resolved.callTimeoutMs);
  }

  /** What the client is doing about its line. */
  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Hears of each change of {@link state}. */
  onState(listener: (state: ConnectionState) => void): Unlisten {
    return this.#states.listen(listener);
  }

  /** Hears of faults that belong to no request and no subscription. */
  onError(listener: (error: MagpieError) => void): Unlisten {
    return this.#errors.listen(listener);
  }

  /** Opens the line: the first time, after a close, or at once instead of at the next attempt. */
  connect(): void {
    this.#connection.open();
  }

  /** Closes the line and stays away. What is unanswered fails; subscriptions wait for {@link connect}. */
  close(reason = ""): void {
    this.#connection.close(reason);
  }

  /** Opens a cursor over a channel. There is one a channel: close it before opening it differently. */
  subscribe(channel: string, options: SubscribeOptions): Subscription {
    if (this.#subscriptions.has(channel)) {
      throw new MagpieError("already_exists", `${channel} is subscribed already: close that subscription first`);
    }
    const subscription = new Subscription(channel, options, this.#host);
    this.#subscriptions.set(channel, subscription);
    subscription.start();
    return subscription;
  }

  /** Publishes a message and waits until it is in the channel. Without a messageId it gets a random one. */
  publish(channel: string, publication: Publication): Promise<PublishResult> {
    return this.#publisher.one(channel, publication);
  }

  /** Publishes several messages in their order; each has its own outcome. */
  publishBatch(channel: string, publications: readonly Publication[]): Promise<BatchResult[]> {
    return this.#publisher.batch(channel, publications);
  }

  /** Reads a page of what a channel keeps. It is asked for again when the line breaks. */
  history(channel: string, options: HistoryOptions = {}): Promise<PageFrame> {
    return this.#historian.page(channel, options);
  }

  /** Reads one page after another, until there is nothing more in that direction. */
  historyPages(channel: string, options: HistoryOptions = {}): AsyncGenerator<PageFrame, void, undefined> {
    return this.#historian.pages(channel, options);
  }

  /** Calls a method and waits for its reply. */
  call(method: string, payload: Payload = {}, options: CallOptions = {}): Promise<ReplyFrame> {
    return this.#caller.call(method, payload, options);
  }

  // Gathers the positions for the connect frame. Subscriptions that find no room are asked for one by one.
  #carry(): Record<string, Position> {
    const positions: [string, Position][] = [];
    let room = positionsRoom;
    for (const subscription of this.#subscriptions.values()) {
      const position = subscription.carry(room);
      if (position === undefined) continue;
      positions.push([subscription.channel, position]);
      room -= sizeOf(subscription.channel, position);
    }
    return Object.fromEntries(positions);
  }

  #resume(resumed: boolean): void {
    for (const subscription of this.#subscriptions.values()) subscription.resume(resumed);
    this.#publisher.resume();
    this.#historian.resume();
  }

  #suspend(reason: CloseReason): void {
    this.#requests.clear();
    for (const subscription of this.#subscriptions.values()) subscription.suspend();
    this.#caller.fail();
    this.#publisher.suspend();
    this.#historian.suspend();
    if (this.#connection.state.kind === "closed") {
      const error = reason.error ?? new MagpieError("unavailable", `the line was closed: ${reason.reason}`);
      this.#publisher.fail(error);
      this.#historian.fail(error);
    }
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case "message":
      case "gap":
      case "position":
        this.#subscriptions.get(frame.channel)?.take(frame);
        return;
      case "unsubscribed":
        // With a requestId it answers close(), perhaps that of an earlier subscription to the same channel.
        if (frame.requestId === undefined) this.#subscriptions.get(frame.channel)?.take(frame);
        else this.#requests.answer(frame);
        return;
      case "subscribed":
        if (frame.requestId === undefined) this.#carriedOver(frame);
        else this.#requests.answer(frame);
        return;
      case "published":
      case "page":
      case "reply":
      case "progress":
      case "error":
        this.#requests.answer(frame);
        return;
      case "call":
        this.#connection.send({
          type: "error",
          requestId: frame.requestId,
          error: { code: "unimplemented", message: "this client serves no methods" },
        });
        return;
    }
  }

  // Takes a subscription that a resumed session has kept. One that nobody wants any more is closed.
  #carriedOver(frame: SubscribedFrame): void {
    const subscription = this.#subscriptions.get(frame.channel);
    if (subscription !== undefined) {
      subscription.take(frame);
      return;
    }
    const requestId = this.#requests.open(() => undefined);
    this.#connection.send({ type: "unsubscribe", requestId, channel: frame.channel });
  }

  #forget(subscription: Subscription): void {
    if (this.#subscriptions.get(subscription.channel) === subscription) {
      this.#subscriptions.delete(subscription.channel);
    }
  }
}
