import type { CancelTimer, Clock } from "./clock.js";

/** How a dead line is noticed. */
export interface HeartbeatTimes {
  /** How long this side may send nothing before it sends a ping. */
  readonly intervalMs: number;
  /** How long nothing may be heard before the line counts as dead. */
  readonly timeoutMs: number;
}

/** What a client assumes before the gateway has told its own times. */
export const defaultHeartbeat: HeartbeatTimes = { intervalMs: 30_000, timeoutMs: 90_000 };

/** What a {@link Heartbeat} does. */
export interface HeartbeatActions {
  ping(): void;
  dead(): void;
}

/**
 * Heartbeat pings a line on which this side is quiet, and reports one on which nothing was heard for too long. What
 * this side sent decides about the ping: the gateway closes a line on which it hears nothing, however much it says
 * itself, and whatever is sent draws an answer.
 */
export class Heartbeat {
  #heardAt: number;
  #sentAt: number;
  #cancel: CancelTimer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly times: HeartbeatTimes,
    private readonly actions: HeartbeatActions,
  ) {
    this.#heardAt = this.#sentAt = clock.now();
    this.#schedule();
  }

  /** Notes that something came in. */
  heard(): void {
    this.#heardAt = this.clock.now();
  }

  /** Notes that something went out. */
  sent(): void {
    this.#sentAt = this.clock.now();
  }

  /** Ends the heartbeat. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    const deadAt = this.#heardAt + this.times.timeoutMs;
    const pingAt = this.#sentAt + this.times.intervalMs;
    const wait = Math.max(0, Math.min(deadAt, pingAt) - this.clock.now());
    this.#cancel = this.clock.after(wait, () => {
      this.#check();
    });
  }

  #check(): void {
    const now = this.clock.now();
    if (now - this.#heardAt >= this.times.timeoutMs) {
      this.actions.dead();
      return;
    }
    if (now - this.#sentAt >= this.times.intervalMs) this.actions.ping();
    this.#schedule();
  }
}
