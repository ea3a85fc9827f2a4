import type { MagpieError } from "./errors.js";

/** The close codes that a program may want to tell apart; SPEC.md has the whole table. */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  /** Not sent by anyone: the line ended without a close frame. */
  abnormal: 1006,
  invalidPayload: 1007,
  tooBig: 1009,
  internal: 1011,
  connectTimeout: 4001,
  idle: 4002,
  writeTimeout: 4003,
  slow: 4004,
  expired: 4005,
  draining: 4008,
  /** The session goes on on another line. */
  takenOver: 4009,
  /** An operator disconnected the client, and does not mind that it comes back. */
  sentAway: 4010,
  /** The user has as many sessions as one may have. */
  userFull: 4011,
  malformed: 4500,
  unauthorized: 4501,
  forbidden: 4503,
} as const;

/** Why a line ended, or why the client rests. */
export interface CloseReason {
  /** The WebSocket close code. */
  readonly code: number;
  /** What was said with it; may be empty. */
  readonly reason: string;
  /** Whether this client ended the line itself. */
  readonly local: boolean;
  /** The error that the gateway sent before, such as a refused credential. */
  readonly error?: MagpieError;
}

const fatal: ReadonlySet<number> = new Set([
  CloseCode.protocolError,
  CloseCode.unsupportedData,
  CloseCode.invalidPayload,
  CloseCode.tooBig,
]);

/** Reports whether a client whose line was closed with this code should come back by itself. */
export function mayReconnect(code: number): boolean {
  return code < 4500 && !fatal.has(code);
}
