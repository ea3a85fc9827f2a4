import type { ErrorBody } from "./frames.js";
import type { Json } from "./payload.js";

/** The canonical gRPC status codes in lower case, as the gateway sends them. */
export const errorCodes = [
  "canceled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
] as const;

/** What kind of failure a {@link MagpieError} is. */
export type ErrorCode = (typeof errorCodes)[number];

const known: ReadonlySet<string> = new Set(errorCodes);

function isErrorCode(code: string): code is ErrorCode {
  return known.has(code);
}

/** What may be said about a failure besides its code and its sentence. */
export interface ErrorOptions {
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly details?: Json;
  /** What brought it about, in this program; no peer hears of it. */
  readonly cause?: unknown;
}

/** The failure of a request, a subscription or the line, whether the gateway or this client found it. */
export class MagpieError extends Error {
  override readonly name = "MagpieError";
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** How long to wait before a retry, where the gateway said so. */
  readonly retryAfterMs: number | undefined;
  /** What the gateway added for a program to read. */
  readonly details: Json | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }

  /** Makes the error of an error frame. A code that this client does not know becomes `unknown`. */
  static fromBody(body: ErrorBody): MagpieError {
    const { code, message, ...options } = body;
    return new MagpieError(isErrorCode(code) ? code : "unknown", message, options);
  }

  /** Makes what an error frame says of it. */
  toBody(): ErrorBody {
    const { code, message, retryable, retryAfterMs, details } = this;
    return { code, message, retryable: retryable || undefined, retryAfterMs, details };
  }
}
