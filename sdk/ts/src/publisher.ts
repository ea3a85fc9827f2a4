import type { CancelTimer, Clock } from "./clock.js";
import { MagpieError } from "./errors.js";
import type { Answer, Frame, Publication, PublishedFrame, PublishResultBody } from "./frames.js";
import { newMessageId } from "./ids.js";
import type { Position } from "./position.js";
import type { RequestTable } from "./requests.js";

/** How many publishes may wait for their answers; a program that is faster than its line hears of it. */
export const maxPendingPublishes = 1_000;

/** The wait before a refused publish is tried again, where the gateway names none. */
const retryMs = 1_000;

/** Where a message stands in its channel. */
export interface PublishResult {
  readonly messageId: string;
  readonly position: Position;
  /** Whether the message was there already, by an earlier attempt. */
  readonly duplicate: boolean;
}

/** The outcome of one message of a batch. */
export type BatchResult = PublishResult | { readonly messageId: string; readonly error: MagpieError };

/** What a publisher needs of its client. */
export interface PublisherHost {
  readonly clock: Clock;
  readonly requests: RequestTable;
  readonly connected: boolean;
  send(frame: Frame): void;
}

interface Pending {
  readonly frame: (requestId: string) => Frame;
  readonly done: (answer: PublishedFrame) => void;
  readonly failed: (error: MagpieError) => void;
  cancelTimeout: CancelTimer;
  cancelRetry: CancelTimer | undefined;
}

type Named = Publication & { readonly messageId: string };

/**
 * Publisher sends messages and keeps each until it is answered. After a reconnect and after a refusal that may pass it
 * sends them again, in their order and with the same messageId, so that the gateway appends each once.
 */
export class Publisher {
  readonly #pending = new Set<Pending>();

  constructor(
    private readonly host: PublisherHost,
    private readonly timeoutMs: number,
  ) {}

  /** Publishes one message. */
  async one(channel: string, publication: Publication): Promise<PublishResult> {
    const message = named(publication);
    const answer = await this.#submit((requestId) => ({ type: "publish", requestId, channel, ...message }));
    const result = outcome(message, answer);
    if ("error" in result) throw result.error;
    return result;
  }

  /** Publishes several messages, one after the other without others in between. */
  async batch(channel: string, publications: readonly Publication[]): Promise<BatchResult[]> {
    const messages = publications.map(named);
    const answer = await this.#submit((requestId) => ({ type: "publish", requestId, channel, messages }));
    return messages.map((message, index) => outcome(message, answer.results?.[index] ?? {}));
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

  #submit(frame: (requestId: string) => Frame): Promise<PublishedFrame> {
    if (this.#pending.size >= maxPendingPublishes) {
      const message = `${String(maxPendingPublishes)} publishes wait for their answers: publish more slowly`;
      return Promise.reject(new MagpieError("resource_exhausted", message, { retryable: true }));
    }
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.host.clock.after(this.timeoutMs, () => {
        const error = new MagpieError("deadline_exceeded", "the publish was not answered in time", { retryable: true });
        this.#settle(pending, () => { reject(error); });
      });
      const pending: Pending = { frame, done: resolve, failed: reject, cancelTimeout, cancelRetry: undefined };
      this.#pending.add(pending);
      this.#send(pending);
    });
  }

  #send(pending: Pending): void {
    if (!this.host.connected || !this.#pending.has(pending)) return;
    const requestId = this.host.requests.open((answer) => {
      this.#answered(pending, answer);
    });
    this.host.send(pending.frame(requestId));
  }

  #answered(pending: Pending, answer: Answer): void {
    if (answer.type === "published") {
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

  #settle(pending: Pending, tell: () => void): void {
    if (!this.#pending.delete(pending)) return;
    pending.cancelTimeout();
    pending.cancelRetry?.();
    tell();
  }
}

function named(publication: Publication): Named {
  return { ...publication, messageId: publication.messageId ?? newMessageId() };
}

function outcome({ messageId }: Named, result: PublishResultBody): BatchResult {
  if (result.error !== undefined) return { messageId, error: MagpieError.fromBody(result.error) };
  if (result.position !== undefined) {
    return { messageId, position: result.position, duplicate: result.duplicate ?? false };
  }
  return { messageId, error: new MagpieError("internal", "the gateway's answer has no position") };
}
