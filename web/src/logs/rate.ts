/** How far back the rate is remembered, in seconds. */
export const rateSeconds = 60;

/** Over how many whole seconds the present rate is taken. */
const averagedSeconds = 3;

/** Rate counts records by the second in which they came. */
export class Rate {
  readonly #counts = new Array<number>(rateSeconds).fill(0);
  #second = 0;

  /** Counts records that came at a time, in milliseconds. */
  add(count: number, now: number): void {
    this.#advance(now);
    const slot = this.#second % rateSeconds;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + count;
  }

  /** Records a second, over the last whole seconds. */
  perSecond(now: number): number {
    const counts = this.history(now);
    const whole = counts.slice(-1 - averagedSeconds, -1);
    return whole.reduce((sum, count) => sum + count, 0) / averagedSeconds;
  }

  /** The counts of the last seconds, the oldest first; the last one is the second under way. */
  history(now: number): number[] {
    this.#advance(now);
    return Array.from({ length: rateSeconds }, (_, i) => this.#counts[(this.#second + 1 + i) % rateSeconds] ?? 0);
  }

  #advance(now: number): void {
    const second = Math.floor(now / 1000);
    const passed = Math.min(second - this.#second, rateSeconds);
    for (let i = 0; i < passed; i++) this.#counts[(second - i) % rateSeconds] = 0;
    this.#second = Math.max(this.#second, second);
  }
}
