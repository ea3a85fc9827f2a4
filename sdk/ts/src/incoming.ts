import type { CancelTimer, Clock } from "./clock.js";
import { MagpieError } from "./errors.js";
import type { CallerBody, CallFrame, ErrorBody, Frame } from "./frames.js";
import type { Pairs, Payload } from "./payload.js";

/** How many progress frames a callee may send before its caller has allowed any. */
const firstCredit = 16;

/** A call that this client has to answer, as its handler sees it. */
export interface CallRequest extends Payload {
  readonly method: string;
  /** Who calls; the gateway vouches for it. */
  readonly caller: CallerBody;
  readonly meta: Pairs;
  /** When the caller stops waiting, in milliseconds of the client's clock; undefined where the gateway did not say. */
  readonly deadline: number | undefined;
  /** Ends when nobody waits any more: cancelled, too late, or the line broke. Its reason is a {@link MagpieError}. */
  readonly signal: AbortSignal;
  /**
   * Sends a part of the result ahead of the reply. It waits until the caller has room for the part, and fails when nobody
   * waits any more.
   */
  progress(part: Payload): Promise<void>;
}

/** What a handler replies with. */
export interface CallResult extends Payload {
  readonly meta?: Pairs;
}

/**
 * Answers calls. A {@link MagpieError} that it throws reaches the caller as it is; of anything else the caller hears only
 * that the handler failed. What it returns after the signal's end is dropped.
 */
export type CallHandler = (request: CallRequest) => CallResult | undefined | Promise<CallResult | undefined>;

/** What a call in hand needs of its client. */
export interface IncomingHost {
  readonly clock: Clock;
  send(frame: Frame): void;
  /** Tells the program of an error that the caller is not shown. */
  fault(error: MagpieError): void;
}

interface Part {
  readonly payload: Payload;
  readonly sent: () => void;
  readonly failed: (error: unknown) => void;
}

/** IncomingCall is a call of a peer from its arrival until its answer, or until nobody waits for that. */
export class IncomingCall {
  /** What the handler is given. */
  readonly request: CallRequest;
  readonly #requestId: string | undefined;
  readonly #abort = new AbortController();
  readonly #cancelDeadline: CancelTimer | undefined;
  // Parts that wait for credit, the oldest first.
  readonly #parts: Part[] = [];
  #lastPart: Promise<void> = Promise.resolve();
  #credit = firstCredit;
  #over = false;

  constructor(
    frame: CallFrame,
    private readonly host: IncomingHost,
  ) {
    const { requestId, method, caller = {}, meta = {}, timeoutMs, data, text, base64 } = frame;
    this.#requestId = requestId;
    this.request = {
      method,
      caller,
      meta,
      data,
      text,
      base64,
      deadline: timeoutMs === undefined ? undefined : host.clock.now() + timeoutMs,
      signal: this.#abort.signal,
      progress: (part) => this.#progress(part),
    };
    if (timeoutMs === undefined) return;
    this.#cancelDeadline = host.clock.after(timeoutMs, () => {
      this.cancel(new MagpieError("deadline_exceeded", `the caller of ${method} does not wait any more`));
    });
  }

  /** Runs the handler and sends what comes of it. It never rejects. */
  async run(handler: CallHandler): Promise<void> {
    try {
      const { meta, data, text, base64 } = (await handler(this.request)) ?? {};
      // The reply ends the call: parts that the handler did not wait for go before it.
      await this.#lastPart;
      this.#answer({ type: "reply", requestId: this.#requestId, meta, data, text, base64 });
    } catch (cause) {
      this.#refuse(this.#errorFor(cause));
    }
  }

  /** Allows that many more parts. */
  allow(count: number): void {
    this.#credit += count;
    this.#flush();
  }

  /** Notes that nobody waits any more: nothing is sent after this. */
  cancel(reason: MagpieError): void {
    if (this.#over) return;
    this.#end();
    this.#abort.abort(reason);
    for (const part of this.#parts.splice(0)) part.failed(reason);
  }

  #progress(payload: Payload): Promise<void> {
    if (this.#over) return Promise.reject(this.#tooLate());
    const sent = new Promise<void>((resolve, reject) => {
      this.#parts.push({ payload, sent: resolve, failed: reject });
    });
    // A handler that does not wait for its parts must not bring the program down when its caller leaves.
    sent.catch(() => undefined);
    this.#lastPart = sent;
    this.#flush();
    return sent;
  }

  #flush(): void {
    while (this.#credit > 0) {
      const part = this.#parts.shift();
      if (part === undefined) return;
      const { data, text, base64 } = part.payload;
      try {
        this.host.send({ type: "progress", requestId: this.#requestId, data, text, base64 });
        this.#credit--;
        part.sent();
      } catch (error) {
        part.failed(error);
      }
    }
  }

  #answer(frame: Frame): void {
    if (this.#over) return;
    this.host.send(frame);
    this.#end();
  }

  #refuse(error: MagpieError): void {
    const answer = (body: ErrorBody): void => { this.#answer({ type: "error", requestId: this.#requestId, error: body }); };
    try {
      answer(error.toBody());
    } catch (cause) {
      // Its details cannot be sent.
      answer(this.#errorFor(cause).toBody());
    }
  }

  // What went wrong inside a handler is for the program alone: it may name what the caller must not know.
  #errorFor(cause: unknown): MagpieError {
    if (cause instanceof MagpieError) return cause;
    const sentence = `the handler of ${this.request.method} failed`;
    const why = cause instanceof Error ? cause.message : "it threw what is no Error";
    if (!this.#over) this.host.fault(new MagpieError("internal", `${sentence}: ${why}`, { cause }));
    return new MagpieError("internal", sentence);
  }

  #end(): void {
    this.#over = true;
    this.#cancelDeadline?.();
  }

  #tooLate(): MagpieError {
    const reason: unknown = this.#abort.signal.reason;
    return reason instanceof MagpieError
      ? reason
      : new MagpieError("failed_precondition", `the call of ${this.request.method} was answered already`);
  }
}
