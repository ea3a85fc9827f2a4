import { Backoff, stableAfterMs } from "./backoff.js";
import { CloseCode, type CloseReason, mayReconnect } from "./close.js";
import type { CancelTimer } from "./clock.js";
import { MagpieError } from "./errors.js";
import type { ConnectedFrame, Frame } from "./frames.js";
import { Line, type LineEnd } from "./line.js";
import type { ResolvedOptions } from "./options.js";
import type { Position } from "./position.js";
import { subprotocol } from "./socket.js";
import type { ConnectionState } from "./state.js";

/** What a {@link Connection} reports. */
export interface ConnectionEvents {
  state(state: ConnectionState): void;
  /** Asks from where the subscriptions of a session that is resumed are to go on. */
  positions(): Readonly<Record<string, Position>>;
  /** A new line is ready: what the program wants has to be said again, unless the session was resumed. */
  connected(frame: ConnectedFrame): void;
  frame(frame: Frame): void;
  fault(error: MagpieError): void;
  /** The line is gone, or the wait for one, whether or not another one will come. */
  disconnected(reason: CloseReason): void;
}

/** Connection keeps one line at a time and opens the next one when it breaks. */
export class Connection {
  readonly #options: ResolvedOptions;
  readonly #events: ConnectionEvents;
  readonly #backoff: Backoff;
  #state: ConnectionState = { kind: "idle" };
  #line: Line | undefined;
  #resumeToken: string | undefined;
  #cancelRetry: CancelTimer | undefined;
  #cancelStable: CancelTimer | undefined;
  // Numbers the attempts, so that a token that arrives late opens no second line.
  #attempt = 0;

  constructor(options: ResolvedOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.#backoff = new Backoff(options.random);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get connected(): boolean {
    return this.#line?.connected ?? false;
  }

  /** Whether a line is there or on its way: the client does not rest. */
  get awake(): boolean {
    return this.#state.kind !== "idle" && this.#state.kind !== "closed";
  }

  /** Opens the line, also in place of waiting for the next attempt. An open one stays. */
  open(): void {
    if (this.#state.kind === "connecting" || this.#state.kind === "connected") return;
    this.#cancelRetry?.();
    void this.#dial();
  }

  /** Closes the line and stays away. */
  close(reason: string): void {
    this.#attempt++;
    this.#cancelRetry?.();
    const line = this.#line;
    if (line !== undefined) {
      line.close(reason);
      return;
    }
    if (this.#state.kind !== "closed") {
      this.#rest({ code: CloseCode.normal, reason, local: true });
    }
  }

  /** Sends a frame, if the line is connected. */
  send(frame: Frame): void {
    this.#line?.send(frame);
  }

  async #dial(): Promise<void> {
    const attempt = ++this.#attempt;
    this.#enter({ kind: "connecting", attempt: this.#backoff.failures + 1 });
    let token: string | undefined;
    try {
      token = await this.#options.token();
    } catch (cause) {
      if (attempt === this.#attempt) this.#ended(tokenFailure(cause));
      return;
    }
    if (attempt !== this.#attempt) return;
    try {
      this.#openLine(token);
    } catch (cause) {
      // The platform forbids this line, as a page served over TLS may not open one without: no retry helps.
      const error = new MagpieError("failed_precondition", messageOf(cause));
      this.#rest({ code: CloseCode.abnormal, reason: error.message, local: true, error });
    }
  }

  #openLine(token: string | undefined): void {
    const { WebSocket, url, clock, connectTimeoutMs, heartbeat, name, version, device } = this.#options;
    const params = {
      socket: new WebSocket(url, [subprotocol]),
      clock,
      connectTimeoutMs,
      heartbeat,
      client: { name, version },
      token,
      device,
      resume: this.#resumeToken === undefined ? undefined : { token: this.#resumeToken, positions: this.#events.positions() },
    };
    this.#line = new Line(params, {
      connected: (frame) => {
        this.#connected(frame);
      },
      frame: this.#events.frame,
      fault: this.#events.fault,
      ended: (end) => {
        this.#ended(end);
      },
    });
  }

  #connected(frame: ConnectedFrame): void {
    this.#resumeToken = frame.resumeToken;
    this.#cancelStable = this.#options.clock.after(stableAfterMs, () => {
      this.#backoff.reset();
    });
    this.#enter({ kind: "connected", session: frame });
    this.#events.connected(frame);
  }

  #ended({ reason, retryAfterMs }: LineEnd): void {
    this.#line = undefined;
    this.#cancelStable?.();
    const chosen = reason.local && reason.code === CloseCode.normal;
    // A session that was closed has ended, and one that goes on on another line is not taken back from there.
    if (chosen || reason.code === CloseCode.takenOver) this.#resumeToken = undefined;
    if (chosen || !mayReconnect(reason.code)) {
      this.#enter({ kind: "closed", reason });
    } else {
      this.#wait(reason, retryAfterMs);
    }
    this.#events.disconnected(reason);
  }

  #wait(reason: CloseReason, retryAfterMs: number | undefined): void {
    const backoff = this.#backoff.next();
    const delay = retryAfterMs !== undefined && retryAfterMs > 0 ? retryAfterMs : backoff;
    const { clock } = this.#options;
    this.#cancelRetry = clock.after(delay, () => {
      void this.#dial();
    });
    this.#enter({
      kind: "waiting",
      attempt: this.#backoff.failures + 1,
      nextAttemptAt: clock.now() + delay,
      reason,
    });
  }

  // Stays away although no line ended: who waits for one has to hear of it.
  #rest(reason: CloseReason): void {
    this.#enter({ kind: "closed", reason });
    this.#events.disconnected(reason);
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#events.state(state);
  }
}

function tokenFailure(cause: unknown): LineEnd {
  const message = `the token could not be fetched: ${messageOf(cause)}`;
  const error = new MagpieError("unauthenticated", message, { retryable: true });
  return { reason: { code: CloseCode.abnormal, reason: error.message, local: true, error }, retryAfterMs: undefined };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
