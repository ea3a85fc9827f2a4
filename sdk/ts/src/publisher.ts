import { MagpieError } from "./errors.js";
import type { Frame, Publication, PublishedFrame, PublishResultBody } from "./frames.js";
import { newMessageId } from "./ids.js";
import type { Position } from "./position.js";
import { Repeater, type RepeaterHost } from "./repeater.js";

/** How many publishes may wait for their answers; a program that is faster than its line hears of it. */
export const maxPendingPublishes = 1_000;

/** Where a message stands in its channel. */
export interface PublishResult {
  readonly messageId: string;
  readonly position: Position;
  /** Whether the message was there already, by an earlier attempt. */
  readonly duplicate: boolean;
}

/** The outcome of one message of a batch. */
export type BatchResult = PublishResult | { readonly messageId: string; readonly error: MagpieError };

type Named = Publication & { readonly messageId: string };

/**
 * Publisher sends messages and keeps each until it is answered. What is sent again has the same messageId, so that the
 * gateway appends each once.
 */
export class Publisher {
  readonly #repeater: Repeater<"published">;

  constructor(
    host: RepeaterHost,
    private readonly timeoutMs: number,
  ) {
    this.#repeater = new Repeater(host, "published", "the publish");
  }

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
    this.#repeater.resume();
  }

  /** Notes that the line is gone. */
  suspend(): void {
    this.#repeater.suspend();
  }

  /** Gives up on everything unanswered. */
  fail(error: MagpieError): void {
    this.#repeater.fail(error);
  }

  #submit(frame: (requestId: string) => Frame): Promise<PublishedFrame> {
    if (this.#repeater.size >= maxPendingPublishes) {
      const message = `${String(maxPendingPublishes)} publishes wait for their answers: publish more slowly`;
      return Promise.reject(new MagpieError("resource_exhausted", message, { retryable: true }));
    }
    return this.#repeater.submit(this.timeoutMs, frame);
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
