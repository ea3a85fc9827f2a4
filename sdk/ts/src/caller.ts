import type { Clock } from "./clock.js";
import { MagpieError } from "./errors.js";
import type { Answer, Frame, ReplyFrame } from "./frames.js";
import type { Pairs, Payload } from "./payload.js";
import type { RequestTable } from "./requests.js";

/** How many progress frames the callee may send ahead. */
const progressWindow = 16;

/** How a call is made. */
export interface CallOptions {
  /** Who is to answer, where it is not whoever serves the method: `user:<id>`, `session:<id>`. */
  readonly to?: string;
  /** How long to wait for the reply; the callee is told. */
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
  send(frame: Frame): void;
}

/** Caller asks peers to run methods. A call is never repeated: what breaks it, fails it. */
export class Caller {
  readonly #failures = new Set<(error: MagpieError) => void>();

  constructor(
    private readonly host: CallerHost,
    private readonly timeoutMs: number,
  ) {}

  /** Calls a method and waits for its reply. */
  call(method: string, payload: Payload, options: CallOptions): Promise<ReplyFrame> {
    if (!this.host.connected) return Promise.reject(lost("the gateway is not connected"));
    if (options.signal?.aborted === true) return Promise.reject(canceled());
    return new Promise((resolve, reject) => {
      this.#start(method, payload, options, { resolve, reject });
    });
  }

  /** Fails every call under way: the line is gone. */
  fail(): void {
    for (const fail of [...this.#failures]) fail(lost("the line broke before the reply came"));
  }

  #start(method: string, payload: Payload, options: CallOptions, result: Settlers): void {
    const { host } = this;
    const { to, meta, signal, timeoutMs = this.timeoutMs } = options;
    const close = (): void => {
      cancelTimeout();
      signal?.removeEventListener("abort", onAbort);
      this.#failures.delete(fail);
      host.requests.drop(requestId);
    };
    const fail = (error: MagpieError): void => {
      close();
      result.reject(error);
    };
    const giveUp = (error: MagpieError): void => {
      host.send({ type: "cancel", requestId });
      fail(error);
    };
    const onAbort = (): void => {
      giveUp(canceled());
    };
    let parts = 0;
    const requestId = host.requests.open((answer: Answer) => {
      if (answer.type === "progress") {
        options.onProgress?.(answer);
        if (++parts % progressWindow === 0) host.send({ type: "credit", requestId, count: progressWindow });
      } else if (answer.type === "reply") {
        close();
        result.resolve(answer);
      } else if (answer.type === "error") {
        fail(MagpieError.fromBody(answer.error));
      }
    });
    const cancelTimeout = host.clock.after(timeoutMs, () => {
      giveUp(new MagpieError("deadline_exceeded", `${method} did not reply within ${String(timeoutMs)} ms`));
    });
    this.#failures.add(fail);
    signal?.addEventListener("abort", onAbort);
    host.send({ type: "call", requestId, method, to, timeoutMs, meta, ...payload });
    if (options.onProgress !== undefined) host.send({ type: "credit", requestId, count: progressWindow });
  }
}

interface Settlers {
  readonly resolve: (reply: ReplyFrame) => void;
  readonly reject: (error: MagpieError) => void;
}

function lost(message: string): MagpieError {
  return new MagpieError("unavailable", message, { retryable: true });
}

function canceled(): MagpieError {
  return new MagpieError("canceled", "the call was cancelled");
}
