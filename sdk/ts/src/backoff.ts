/** The longest wait before an attempt to reconnect. */
export const maxDelayMs = 30_000;

/** The shortest wait, so that a gateway that restarts is not hammered. */
export const minDelayMs = 1_000;

/** How long a line must have lived before the next failure counts as the first. */
export const stableAfterMs = 5_000;

/**
 * Backoff gives the waits between attempts: random between 1 s and 1 s x 2^n, never over 30 s, where n counts the
 * failures since a line was last stable. The spread keeps clients that lost one gateway from coming back at once.
 */
export class Backoff {
  #failures = 0;

  constructor(private readonly random: () => number) {}

  /** How many failures came since the line was last stable. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and gives the wait before the next attempt. */
  next(): number {
    this.#failures++;
    const ceiling = Math.min(maxDelayMs, minDelayMs * 2 ** this.#failures);
    return minDelayMs + this.random() * (ceiling - minDelayMs);
  }

  /** Forgets the failures: the line was stable. */
  reset(): void {
    this.#failures = 0;
  }
}
