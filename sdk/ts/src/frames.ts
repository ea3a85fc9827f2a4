import type { Json, Pairs, Payload } from "./payload.js";
import type { Position, Start } from "./position.js";

/** The first frame of a session. */
export interface ConnectFrame {
  readonly type: "connect";
  readonly requestId?: string;
  readonly token?: string;
  readonly resume?: {
    readonly token?: string;
    readonly positions?: Readonly<Record<string, Position>>;
  };
  readonly client?: { readonly name?: string; readonly version?: string };
  readonly device?: string;
}

/** The answer to connect. Times are in milliseconds since 1970. */
export interface ConnectedFrame {
  readonly type: "connected";
  readonly requestId?: string;
  readonly sessionId: string;
  readonly resumeToken?: string;
  readonly userId?: string;
  readonly nodeId?: string;
  readonly resumed: boolean;
  readonly serverTime?: number;
  readonly expiresAt?: number;
  readonly heartbeat?: { readonly intervalMs?: number; readonly timeoutMs?: number };
  readonly limits?: { readonly frameBytes?: number; readonly subscriptions?: number };
}

/** Opens a cursor over a channel, or over each channel that a pattern stands for. */
export interface SubscribeFrame {
  readonly type: "subscribe";
  readonly requestId?: string;
  readonly channel: string;
  readonly from?: Start;
  readonly filter?: string;
  /** What this session publishes is not delivered to it. */
  readonly excludeSelf?: boolean;
  /** Of each key only the newest message is delivered. */
  readonly conflate?: boolean;
  /** With a pattern: where channels begin that do not begin at `from`. */
  readonly positions?: Readonly<Record<string, Position>>;
  /** What the client says of itself to the members of the channel. */
  readonly info?: Json;
}

/** The answer to subscribe; the first message comes after its position. */
export interface SubscribedFrame {
  readonly type: "subscribed";
  readonly requestId?: string;
  readonly channel: string;
  readonly position: Position;
  readonly tail: number;
  readonly recovered: boolean;
  /** The pattern by which the channel has joined, unasked. */
  readonly pattern?: string;
}

/** Closes the cursor. */
export interface UnsubscribeFrame {
  readonly type: "unsubscribe";
  readonly requestId?: string;
  readonly channel: string;
}

/** The end of a subscription, asked for or not. */
export interface UnsubscribedFrame {
  readonly type: "unsubscribed";
  readonly requestId?: string;
  readonly channel: string;
  readonly code?: string;
  readonly reason?: string;
}

/** One message on its way in. */
export interface Publication extends Payload {
  readonly messageId?: string;
  readonly key?: string;
  readonly tags?: Pairs;
  readonly meta?: Pairs;
}

/** Appends one message, or several, to a channel. */
export interface PublishFrame extends Publication {
  readonly type: "publish";
  readonly requestId?: string;
  readonly channel: string;
  readonly messages?: readonly Publication[];
}

/** Where a message stands, or why it was refused. */
export interface PublishResultBody {
  readonly position?: Position;
  readonly duplicate?: boolean;
  readonly error?: ErrorBody;
}

/** The answer to publish. */
export interface PublishedFrame {
  readonly type: "published";
  readonly requestId?: string;
  readonly position?: Position;
  readonly duplicate?: boolean;
  readonly results?: readonly PublishResultBody[];
}

/** One entry of a channel on its way to a subscriber. */
export interface MessageFrame extends Payload {
  readonly type: "message";
  readonly channel: string;
  readonly offset: number;
  /** The offset delivered before, where entries in between were skipped. */
  readonly prev?: number;
  readonly messageId?: string;
  readonly key?: string;
  readonly publisher?: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly tags?: Pairs;
  readonly meta?: Pairs;
}

/** Moves the client's position along where entries were skipped. */
export interface PositionFrame {
  readonly type: "position";
  readonly channel: string;
  readonly position: Position;
}

/**
 * Entries that cannot be delivered any more. The reason is retention, epoch, beyond_tail or damage; with epoch the range may
 * be unknown.
 */
export interface GapFrame {
  readonly type: "gap";
  readonly channel: string;
  readonly epoch: string;
  readonly fromOffset?: number;
  readonly toOffset?: number;
  readonly reason: string;
}

/** Asks for a page of what a channel keeps. */
export interface HistoryFrame {
  readonly type: "history";
  readonly requestId?: string;
  readonly channel: string;
  readonly from?: Start;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** A message of a page, which names the channel once for all of them. */
export type HistoryMessage = Omit<MessageFrame, "type" | "channel">;

/** The answer to history. */
export interface PageFrame {
  readonly type: "page";
  readonly requestId?: string;
  readonly channel: string;
  readonly epoch: string;
  /** The oldest offset kept, tail + 1 when nothing is. */
  readonly head: number;
  readonly tail: number;
  /** What is missing before the first of the messages, in the order asked for. */
  readonly gap?: Omit<GapFrame, "type" | "channel">;
  readonly messages: readonly HistoryMessage[];
  /** Where the next page begins; absent at the end. */
  readonly next?: Position;
}

/** Asks for a page of the members of a channel. */
export interface PresenceFrame {
  readonly type: "presence";
  readonly requestId?: string;
  readonly channel: string;
  readonly limit?: number;
  /** The next of the page before. */
  readonly after?: string;
}

/** A session that has subscribed a channel. */
export interface Member {
  readonly userId: string;
  readonly sessionId: string;
  readonly device?: string;
  readonly nodeId?: string;
  /** Milliseconds since 1970. */
  readonly since?: number;
  /** What it says of itself. */
  readonly info?: Json;
}

/** The answer to presence: members in the order of their session ids. */
export interface MembersFrame {
  readonly type: "members";
  readonly requestId?: string;
  readonly channel: string;
  /** Of the channel that tells of the members, `sys.members.<channel>`: what comes behind it is not in the page yet. */
  readonly position: Position;
  /** How many members there are, on all pages. */
  readonly count: number;
  readonly members: readonly Member[];
  /** What to ask for the next page with; absent at the end. */
  readonly next?: string;
}

/** Asks a peer to run a method. */
export interface CallFrame extends Payload {
  readonly type: "call";
  readonly requestId?: string;
  readonly method: string;
  /** `user:<id>`, `session:<id>` or `channel:<name>`; absent: whoever serves the method. */
  readonly to?: string;
  readonly timeoutMs?: number;
  readonly meta?: Pairs;
  /** Stamped by the gateway. */
  readonly caller?: CallerBody;
  /** Only the user's sessions on this device. */
  readonly device?: string;
  /** `first`, as when it is absent, or `all`, which gathers the answers of all whom `to` names. */
  readonly answers?: string;
}

/** Who makes a call. */
export interface CallerBody {
  readonly userId?: string;
  readonly sessionId?: string;
}

/** The result of a call, or of one to several peers. */
export interface ReplyFrame extends Payload {
  readonly type: "reply";
  readonly requestId?: string;
  readonly meta?: Pairs;
  /** How many peers were asked, where answers are gathered. */
  readonly asked?: number;
  /** What they answered in time. */
  readonly answers?: readonly AnswerBody[];
}

/** What one of several peers answered: a payload or an error. */
export interface AnswerBody extends Payload {
  readonly userId?: string;
  readonly sessionId?: string;
  readonly device?: string;
  readonly error?: ErrorBody;
}

/** A part of a call's result. */
export interface ProgressFrame extends Payload {
  readonly type: "progress";
  readonly requestId?: string;
}

/** Allows that many more progress frames. */
export interface CreditFrame {
  readonly type: "credit";
  readonly requestId?: string;
  readonly count: number;
}

/** Tells the callee that nobody waits any more. */
export interface CancelFrame {
  readonly type: "cancel";
  readonly requestId?: string;
}

/** Offers to answer the calls of a method; again with another concurrency, to change that. */
export interface ServeFrame {
  readonly type: "serve";
  readonly requestId?: string;
  readonly method: string;
  /** How many calls may be in hand at a time; absent: 64. */
  readonly concurrency?: number;
}

/** The answer to serve. */
export interface ServedFrame {
  readonly type: "served";
  readonly requestId?: string;
  readonly method: string;
}

/** Takes the offer back. The calls in hand go on. */
export interface UnserveFrame {
  readonly type: "unserve";
  readonly requestId?: string;
  readonly method: string;
}

/** The end of an offer, asked for or not. */
export interface UnservedFrame {
  readonly type: "unserved";
  readonly requestId?: string;
  readonly method: string;
  readonly code?: string;
  readonly reason?: string;
}

/** What an error frame says. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly details?: Json;
}

/** The failure of a request, or of a frame that could not be understood. */
export interface ErrorFrame {
  readonly type: "error";
  readonly requestId?: string;
  readonly error: ErrorBody;
}

/** Asks for a pong. */
export interface PingFrame {
  readonly type: "ping";
  readonly requestId?: string;
}

/** The answer to ping. */
export interface PongFrame {
  readonly type: "pong";
  readonly requestId?: string;
}

/** Comes before a close by the gateway. */
export interface GoodbyeFrame {
  readonly type: "goodbye";
  readonly code: number;
  readonly reason?: string;
  readonly retryAfterMs?: number;
}

/** Any frame, of either direction. */
export type Frame =
  | ConnectFrame
  | ConnectedFrame
  | SubscribeFrame
  | SubscribedFrame
  | UnsubscribeFrame
  | UnsubscribedFrame
  | PublishFrame
  | PublishedFrame
  | MessageFrame
  | PositionFrame
  | GapFrame
  | HistoryFrame
  | PageFrame
  | PresenceFrame
  | MembersFrame
  | CallFrame
  | ReplyFrame
  | ProgressFrame
  | CreditFrame
  | CancelFrame
  | ServeFrame
  | ServedFrame
  | UnserveFrame
  | UnservedFrame
  | ErrorFrame
  | PingFrame
  | PongFrame
  | GoodbyeFrame;

/** Frames that answer a request of this client. */
export type Answer = Extract<Frame, { readonly type: AnswerType }>;

type AnswerType =
  | "connected"
  | "subscribed"
  | "unsubscribed"
  | "published"
  | "page"
  | "members"
  | "reply"
  | "progress"
  | "served"
  | "unserved"
  | "error";
