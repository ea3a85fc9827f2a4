import { Caller, type CallOptions } from "./caller.js";
import type { CloseReason } from "./close.js";
import { Connection } from "./connection.js";
import { MagpieError } from "./errors.js";
import type {
  Frame,
  GapFrame,
  MembersFrame,
  MessageFrame,
  PageFrame,
  PositionFrame,
  Publication,
  ReplyFrame,
  SubscribedFrame,
  UnsubscribedFrame,
} from "./frames.js";
import { Historian, type HistoryOptions } from "./historian.js";
import type { CallHandler } from "./incoming.js";
import { Offers, type SubscriptionOffer } from "./offers.js";
import { type ClientOptions, resolveOptions } from "./options.js";
import type { Payload } from "./payload.js";
import { isPattern } from "./pattern.js";
import { type Position, sizeOf } from "./position.js";
import { type PresenceOptions, Roster } from "./presence.js";
import { type BatchResult, Publisher, type PublishResult } from "./publisher.js";
import { RequestTable } from "./requests.js";
import { Server } from "./server.js";
import type { Handling, ServeOptions, Service } from "./service.js";
import { Signal, type Unlisten } from "./signal.js";
import type { ConnectionState } from "./state.js";
import { type SubscribeOptions, Subscription, type SubscriptionHost } from "./subscription.js";

/** How many bytes the positions of a connect frame may take, which has to fit into what the gateway accepts. */
const positionsRoom = 32 * 1024;

/**
 * Client keeps a line to a Magpie gateway. What a program asked for outlives the line: after a reconnect its
 * subscriptions go on where they stood, its unanswered publishes are sent again, and what it serves is served again.
 */
export class Client {
  readonly #connection: Connection;
  readonly #requests = new RequestTable();
  readonly #subscriptions = new Map<string, Subscription>();
  // Those of them that are to patterns.
  readonly #patterns = new Set<Subscription>();
  readonly #publisher: Publisher;
  readonly #historian: Historian;
  readonly #roster: Roster;
  readonly #caller: Caller;
  readonly #server: Server;
  readonly #offers: Offers;
  readonly #states = new Signal<ConnectionState>();
  readonly #errors = new Signal<MagpieError>();
  readonly #host: SubscriptionHost;

  /** Makes a client at rest; {@link connect} opens its line. */
  constructor(options: ClientOptions) {
    const resolved = resolveOptions(options);
    const fault = (error: MagpieError): void => { this.#errors.emit(error); };
    const connection = new Connection(resolved, {
      state: (state) => { this.#states.emit(state); },
      positions: () => this.#carry(),
      connected: ({ resumed }) => { this.#resume(resumed); },
      frame: (frame) => { this.#take(frame); },
      fault,
      disconnected: (reason) => { this.#suspend(reason); },
    });
    this.#connection = connection;
    const host = {
      clock: resolved.clock,
      requests: this.#requests,
      get connected() {
        return connection.connected;
      },
      get awake() {
        return connection.awake;
      },
      send: (frame: Frame) => { connection.send(frame); },
      fault,
      forget: (subscription: Subscription) => { this.#forget(subscription); },
    };
    this.#host = host;
    this.#publisher = new Publisher(this.#host, resolved.publishTimeoutMs);
    this.#historian = new Historian(this.#host, resolved.callTimeoutMs);
    this.#roster = new Roster(this.#host, resolved.callTimeoutMs);
    this.#caller = new Caller(host, resolved.callTimeoutMs);
    this.#server = new Server(host);
    this.#offers = new Offers((frame, options) => this.#adopt(frame, options));
  }

  /** What the client is doing about its line. */
  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Hears of each change of {@link state}. */
  onState(listener: (state: ConnectionState) => void): Unlisten {
    return this.#states.listen(listener);
  }

  /** Hears of faults that belong to no request and no subscription, such as errors of handlers that no caller is shown. */
  onError(listener: (error: MagpieError) => void): Unlisten {
    return this.#errors.listen(listener);
  }

  /** Opens the line: the first time, after a close, or at once instead of at the next attempt. */
  connect(): void {
    this.#connection.open();
  }

  /** Closes the line and stays away. What is unanswered fails; subscriptions and services wait for {@link connect}. */
  close(reason = ""): void {
    this.#connection.close(reason);
  }

  /**
   * Opens a cursor over a channel. There is one a channel: close it before opening it differently. With a pattern, such as
   * `order.*` or `logs.>`, it is one over each channel that the pattern stands for and that the client may subscribe, those
   * that appear later from their first message on; each message names its channel.
   */
  subscribe(channel: string, options: SubscribeOptions): Subscription {
    if (this.#subscriptions.has(channel)) {
      throw new MagpieError("already_exists", `${channel} is subscribed already: close that subscription first`);
    }
    const subscription = this.#add(channel, options);
    subscription.start();
    return subscription;
  }

  /**
   * Hears of subscriptions that the gateway opened unasked, and may accept them. What nobody accepts is closed.
   */
  onSubscription(listener: (offer: SubscriptionOffer) => void): Unlisten {
    return this.#offers.listen(listener);
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

  /**
   * Tells who is in a channel: a page of the sessions that have subscribed it. `membersChannel(channel)`, subscribed from
   * the page's position, tells what changes. It is asked for again when the line breaks.
   */
  presence(channel: string, options: PresenceOptions = {}): Promise<MembersFrame> {
    return this.#roster.page(channel, options);
  }

  /** Reads one page of members after another. */
  presencePages(channel: string, options: PresenceOptions = {}): AsyncGenerator<MembersFrame, void, undefined> {
    return this.#roster.pages(channel, options);
  }

  /**
   * Calls a method and waits for its reply. Made while the line is on its way, the call waits for that; once sent, it is
   * never repeated.
   */
  call(method: string, payload: Payload = {}, options: CallOptions = {}): Promise<ReplyFrame> {
    return this.#caller.call(method, payload, options);
  }

  /**
   * Serves a method: of those who do, the gateway hands each call to the one with the fewest in hand. Calls that are meant
   * for this client, its user or a channel it reads reach the handler as well.
   */
  serve(method: string, handler: CallHandler, options: ServeOptions = {}): Service {
    return this.#server.serve(method, handler, options);
  }

  /** Answers the calls of a method that are meant for this client, its user or a channel it reads, and no others. */
  handle(method: string, handler: CallHandler): Handling {
    return this.#server.handle(method, handler);
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
    if (!resumed) this.#offers.forget();
    for (const subscription of this.#subscriptions.values()) subscription.resume(resumed);
    this.#publisher.resume();
    this.#historian.resume();
    this.#roster.resume();
    this.#server.resume();
    this.#caller.resume();
  }

  #suspend(reason: CloseReason): void {
    this.#requests.clear();
    for (const subscription of this.#subscriptions.values()) subscription.suspend();
    this.#caller.suspend();
    this.#server.suspend();
    this.#publisher.suspend();
    this.#historian.suspend();
    this.#roster.suspend();
    if (this.#connection.state.kind === "closed") {
      const error = reason.error ?? new MagpieError("unavailable", `the line was closed: ${reason.reason}`);
      this.#publisher.fail(error);
      this.#historian.fail(error);
      this.#roster.fail(error);
      this.#caller.fail(error);
    }
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case "message":
      case "gap":
      case "position":
        this.#hand(frame);
        return;
      case "unsubscribed":
        // With a requestId it answers close(), perhaps that of an earlier subscription to the same channel.
        if (frame.requestId === undefined) this.#hand(frame);
        else this.#requests.answer(frame);
        return;
      case "subscribed":
        if (frame.pattern !== undefined) this.#subscriptions.get(frame.pattern)?.join(frame);
        else if (frame.requestId === undefined) this.#opened(frame);
        else this.#requests.answer(frame);
        return;
      case "unserved":
        if (frame.requestId === undefined) this.#server.take(frame);
        else this.#requests.answer(frame);
        return;
      case "served":
      case "published":
      case "page":
      case "members":
      case "reply":
      case "progress":
      case "error":
        this.#requests.answer(frame);
        return;
      case "call":
      case "cancel":
      case "credit":
        this.#server.take(frame);
        return;
    }
  }

  // Hands a frame about a channel to its subscription, and to the patterns that may stand for it.
  #hand(frame: MessageFrame | GapFrame | PositionFrame | UnsubscribedFrame): void {
    this.#subscriptions.get(frame.channel)?.take(frame);
    for (const subscription of this.#patterns) subscription.takeOf(frame.channel, frame);
  }

  // Takes a subscription that a resumed session has kept, or that was opened from the gateway's side. One that nobody
  // wants is closed.
  #opened(frame: SubscribedFrame): void {
    const subscription = this.#subscriptions.get(frame.channel);
    if (subscription !== undefined) {
      subscription.take(frame);
      return;
    }
    if (!isPattern(frame.channel)) this.#offers.offer(frame);
    if (this.#subscriptions.has(frame.channel)) return;
    const requestId = this.#requests.open(() => undefined);
    this.#connection.send({ type: "unsubscribe", requestId, channel: frame.channel });
  }

  #adopt(frame: SubscribedFrame, options: SubscribeOptions): Subscription {
    const subscription = this.#add(frame.channel, options);
    subscription.adopt(frame);
    return subscription;
  }

  #add(channel: string, options: SubscribeOptions): Subscription {
    const subscription = new Subscription(channel, options, this.#host);
    this.#offers.joined(channel);
    this.#subscriptions.set(channel, subscription);
    if (isPattern(channel)) this.#patterns.add(subscription);
    return subscription;
  }

  #forget(subscription: Subscription): void {
    if (!this.#connection.connected) this.#offers.left(subscription.channel);
    if (this.#subscriptions.get(subscription.channel) === subscription) {
      this.#subscriptions.delete(subscription.channel);
      this.#patterns.delete(subscription);
    }
  }
}
