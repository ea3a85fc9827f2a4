/**
 * The client of the Magpie gateway: published messages, calls and subscriptions over one WebSocket that comes back by
 * itself. Start at {@link Client}.
 *
 * - client.ts: the face of the package; connection.ts, line.ts: the line and its successors
 * - subscription.ts, pattern.ts, cursor.ts: exactly-once delivery; publisher.ts: retried publishes; historian.ts: the
 *   past; presence.ts: who is here;
 *   repeater.ts: what both repeat
 * - caller.ts: calls; server.ts, service.ts, incoming.ts: the calls of others; offers.ts: what the gateway opens unasked
 * - frames.ts, codec.ts, fields.ts: what crosses the line; close.ts, errors.ts: how things end
 * - backoff.ts, heartbeat.ts: policies, with the clock injected
 *
 * @packageDocumentation
 */
export { type CallOptions } from "./caller.js";
export { Client } from "./client.js";
export { type CancelTimer, type Clock, systemClock } from "./clock.js";
export { CloseCode, type CloseReason, mayReconnect } from "./close.js";
export { decodeFrame, encodeFrame } from "./codec.js";
export { type ErrorCode, errorCodes, type ErrorOptions, MagpieError } from "./errors.js";
export { FormatError } from "./fields.js";
export type * from "./frames.js";
export { type HeartbeatTimes } from "./heartbeat.js";
export { type HistoryOptions } from "./historian.js";
export { newMessageId } from "./ids.js";
export { type CallHandler, type CallRequest, type CallResult } from "./incoming.js";
export { type SubscriptionOffer } from "./offers.js";
export { type ClientOptions, type TokenSource } from "./options.js";
export { type Json, type JsonObject, type Pairs, type Payload } from "./payload.js";
export { type Position, type Start } from "./position.js";
export { membersChannel, onlineChannel, type PresenceOptions } from "./presence.js";
export { type BatchResult, maxPendingPublishes, type PublishResult } from "./publisher.js";
export { type Handling, type ServeOptions, type Service } from "./service.js";
export { type Unlisten } from "./signal.js";
export { type Socket, type SocketConstructor, subprotocol } from "./socket.js";
export { type ConnectionState } from "./state.js";
export { type SubscribeOptions, Subscription } from "./subscription.js";
