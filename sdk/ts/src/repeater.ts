import type { CancelTimer, Clock } from "./clock.js";
import { MagpieError } from "./errors.js";
import type { Answer, Frame } from "./frames.js";
import type { RequestTable } from "./requests.js";

/** The wait before a refused request is tried again, where the gateway names none. */
const retryMs = 1_000;

/** What a repeater needs of its client. */
export interface RepeaterHost {
  readonly clock: Clock;
  readonly requests: RequestTable;
  readonly connected: boolean;
  send(frame: Frame): void;
}

type AnswerOf<T extends Answer["type"]> = Extract<Answer, { readonly type: T }>;

interface Pending<T extends Answer["type"]> {
  readonly frame: (requestId: string) => Frame;
  readonly done: (answer: AnswerOf<T>) => void;
  readonly failed: (error: unknown) => void;
  cancelTimeout: CancelTimer;
  cancelRetry: CancelTimer | undefined;
}

/**
 * Repeater keeps requests that may be asked more than once until each is answered: after a reconnect and after a refusal
 * that may pass it sends them again, in their order.
 */
export class Repeater<T extends Answer["type"]> {
  readonly #pending = new Set<Pending<T>>();

  constructor(
    private readonly host: RepeaterHost,
    private readonly answerType: T,
    private readonly what: string,
  ) {}

  /** How many requests are unanswered. */
  get size(): number {
    return this.#pending.size;
  }

  /** Sends a request, and waits for its answer. */
  submit(timeoutMs: number, frame: (requestId: string) => Frame): Promise<AnswerOf<T>> {
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.host.clock.after(timeoutMs, () => {
        const error = new MagpieError("deadline_exceeded", `${this.what} was not answered in time`, { retryable: true });
        this.#settle(pending, () => { reject(error); });
      });
      const pending: Pending<T> = { frame, done: resolve, failed: reject, cancelTimeout, cancelRetry: undefined };
      this.#pending.add(pending);
      this.#send(pending);
    });
  }

  /** Sends on a new line what is still unanswered. */
  resume(): void {
    for (const pending of this.#pending) this.#send(pending);
  }

  /** Notes that the line is gone. */
  suspend(): void {
    for (const pending of this.#pending) pending.cancelRetry?.();
  }

  /** Gives up on everything unanswered. */
  fail(error: MagpieError): void {
    for (const pending of [...this.#pending]) this.#settle(pending, () => { pending.failed(error); });
  }

  #send(pending: Pending<T>): void {
    if (!this.host.connected || !this.#pending.has(pending)) return;
    const requestId = this.host.requests.open((answer) => {
      this.#answered(pending, answer);
    });
    try {
      this.host.send(pending.frame(requestId));
    } catch (error) {
      this.host.requests.drop(requestId);
      this.#settle(pending, () => { pending.failed(error); });
    }
  }

  #answered(pending: Pending<T>, answer: Answer): void {
    if (this.#isExpected(answer)) {
      this.#settle(pending, () => { pending.done(answer); });
      return;
    }
    if (answer.type !== "error") return;
    const error = MagpieError.fromBody(answer.error);
    if (error.retryable) {
      pending.cancelRetry = this.host.clock.after(error.retryAfterMs ?? retryMs, () => {
        this.#send(pending);
      });
      return;
    }
    this.#settle(pending, () => { pending.failed(error); });
  }

  #isExpected(answer: Answer): answer is AnswerOf<T> {
    return answer.type === this.answerType;
  }

  #settle(pending: Pending<T>, tell: () => void): void {
    if (!this.#pending.delete(pending)) return;
    pending.cancelTimeout();
    pending.cancelRetry?.();
    tell();
  }
}
