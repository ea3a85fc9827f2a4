import type { CancelTimer, Clock } from "./clock.js";
import { MagpieError } from "./errors.js";
import type { Answer, Frame, ReplyFrame } from "./frames.js";
import type { Pairs, Payload } from "./payload.js";
import type { RequestTable } from "./requests.js";

/** How many progress frames the callee may send ahead. */
const progressWindow = 16;

/**
 * How much longer than the gateway the client waits for answers that are gathered: they come when the time is over, and
 * then have to travel.
 */
const gatherGraceMs = 5_000;

/** How a call is made. */
export interface CallOptions {
  /**
   * Who is to answer, where it is not whoever serves the method: `user:<id>`, `session:<id>`, or all subscribers of
   * `channel:<name>`.
   */
  readonly to?: string;
  /** Only the user's sessions on this device, as their tokens name it. */
  readonly device?: string;
  /** Gathers the answers of all whom `to` names into the reply's `answers`, instead of taking the first. */
  readonly answers?: "all";
  /** How long to wait for the line and the reply; the callee is told what is left. */
  readonly timeoutMs?: number;
  readonly meta?: Pairs;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  /** Takes the parts of the result that come before the reply. */
  onProgress?(part: Payload): void;
}

/** What a caller needs of its client. */
export interface CallerHost {
  readonly clock: Clock;
  readonly requests: RequestTable;
  readonly connected: boolean;
  /** Whether a line is there or on its way. */
  readonly awake: boolean;
  send(frame: Frame): void;
}

/**
 * Caller asks peers to run methods. A call that is made before the line is there waits for it. One that was sent is never
 * repeated: what breaks it, fails it.
 */
export class Caller {
  readonly #calls = new Set<OutgoingCall>();

  constructor(
    private readonly host: CallerHost,
    private readonly timeoutMs: number,
  ) {}

  /** Calls a method and waits for its reply. */
  call(method: string, payload: Payload, options: CallOptions): Promise<ReplyFrame> {
    if (!this.host.awake) return Promise.reject(lost("the gateway is not connected"));
    if (options.signal?.aborted === true) return Promise.reject(canceled());
    return new Promise((resolve, reject) => {
      const params = { method, payload, options, timeoutMs: options.timeoutMs ?? this.timeoutMs };
      const call = new OutgoingCall(this.host, params, {
        resolve,
        reject,
        ended: () => { this.#calls.delete(call); },
      });
      this.#calls.add(call);
      call.start();
    });
  }

  /** Sends the calls that wait for the line. */
  resume(): void {
    for (const call of [...this.#calls]) call.start();
  }

  /** Fails the calls under way: the line is gone. */
  suspend(): void {
    for (const call of [...this.#calls]) call.suspend();
  }

  /** Fails every call: no line will come. */
  fail(error: MagpieError): void {
    for (const call of [...this.#calls]) call.fail(error);
  }
}

interface CallParams {
  readonly method: string;
  readonly payload: Payload;
  readonly options: CallOptions;
  readonly timeoutMs: number;
}

interface Outcome {
  resolve(reply: ReplyFrame): void;
  reject(error: unknown): void;
  ended(): void;
}

/** OutgoingCall is one call until its end. It has a requestId once it was sent. */
class OutgoingCall {
  readonly #deadline: number;
  #requestId: string | undefined;
  #cancelTimeout: CancelTimer;
  #parts = 0;

  constructor(
    private readonly host: CallerHost,
    private readonly params: CallParams,
    private readonly outcome: Outcome,
  ) {
    const { timeoutMs, options } = params;
    this.#deadline = host.clock.now() + timeoutMs;
    this.#cancelTimeout = host.clock.after(timeoutMs, () => {
      this.fail(lost(`the gateway was not reached within ${String(timeoutMs)} ms`));
    });
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  /** Sends the call, if the line is there. */
  start(): void {
    if (!this.host.connected) return;
    const { method, payload, options, timeoutMs: whole } = this.params;
    const { to, device, answers, meta } = options;
    const requestId = this.host.requests.open((answer) => { this.#answered(answer); });
    this.#requestId = requestId;
    const timeoutMs = Math.max(1, Math.round(this.#deadline - this.host.clock.now()));
    const gathers = answers === "all" || to?.startsWith("channel:") === true;
    this.#cancelTimeout();
    this.#cancelTimeout = this.host.clock.after(gathers ? timeoutMs + gatherGraceMs : timeoutMs, () => {
      this.#giveUp(new MagpieError("deadline_exceeded", `${method} did not reply within ${String(whole)} ms`));
    });
    try {
      this.host.send({ type: "call", requestId, method, to, device, answers, timeoutMs, meta, ...payload });
    } catch (error) {
      this.fail(error);
      return;
    }
    if (options.onProgress !== undefined) this.host.send({ type: "credit", requestId, count: progressWindow });
  }

  /** Fails the call if it was sent. */
  suspend(): void {
    if (this.#requestId !== undefined) this.fail(lost("the line broke before the reply came"));
  }

  /** Fails the call. */
  fail(error: unknown): void {
    this.#end();
    this.outcome.reject(error);
  }

  #answered(answer: Answer): void {
    if (answer.type === "progress") {
      this.params.options.onProgress?.(answer);
      if (++this.#parts % progressWindow !== 0) return;
      this.host.send({ type: "credit", requestId: this.#requestId, count: progressWindow });
    } else if (answer.type === "reply") {
      this.#end();
      this.outcome.resolve(answer);
    } else if (answer.type === "error") {
      this.fail(MagpieError.fromBody(answer.error));
    }
  }

  readonly #onAbort = (): void => {
    this.#giveUp(canceled());
  };

  #giveUp(error: MagpieError): void {
    if (this.#requestId !== undefined) this.host.send({ type: "cancel", requestId: this.#requestId });
    this.fail(error);
  }

  #end(): void {
    this.#cancelTimeout();
    this.params.options.signal?.removeEventListener("abort", this.#onAbort);
    if (this.#requestId !== undefined) this.host.requests.drop(this.#requestId);
    this.outcome.ended();
  }
}

function lost(message: string): MagpieError {
  return new MagpieError("unavailable", message, { retryable: true });
}

function canceled(): MagpieError {
  return new MagpieError("canceled", "the call was cancelled");
}
