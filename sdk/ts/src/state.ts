import type { CloseReason } from "./close.js";
import type { ConnectedFrame } from "./frames.js";

/** What the client is doing about its line. */
export type ConnectionState =
  /** Not opened yet. */
  | { readonly kind: "idle" }
  /** An attempt is under way; the first one has the number 1. */
  | { readonly kind: "connecting"; readonly attempt: number }
  /** The line is open and the gateway answered. */
  | { readonly kind: "connected"; readonly session: ConnectedFrame }
  /** The line broke; the next attempt comes at `nextAttemptAt`, in milliseconds of the client's clock. */
  | {
      readonly kind: "waiting";
      readonly attempt: number;
      readonly nextAttemptAt: number;
      readonly reason: CloseReason;
    }
  /** The client rests until {@link Client.connect} is called again. */
  | { readonly kind: "closed"; readonly reason: CloseReason };
