import type { Answer } from "./frames.js";

/** Takes the frames that answer one request. */
export type AnswerHandler = (answer: Answer) => void;

/** RequestTable knows who waits for the answer of which request on the present line. */
export class RequestTable {
  readonly #handlers = new Map<string, AnswerHandler>();
  #last = 0;

  /** Gives a request its identifier, and remembers who takes its answers. */
  open(handler: AnswerHandler): string {
    const requestId = String(++this.#last);
    this.#handlers.set(requestId, handler);
    return requestId;
  }

  /** Forgets a request: its answers, should they still come, are dropped. */
  drop(requestId: string): void {
    this.#handlers.delete(requestId);
  }

  /** Hands an answer to who waits for it. A progress frame leaves the request open; any other answer ends it. */
  answer(frame: Answer): void {
    if (frame.requestId === undefined) return;
    const handler = this.#handlers.get(frame.requestId);
    if (handler === undefined) return;
    if (frame.type !== "progress") this.#handlers.delete(frame.requestId);
    handler(frame);
  }

  /** Forgets every request: the line they were sent on is gone. */
  clear(): void {
    this.#handlers.clear();
  }
}
