/** How often a page that nobody sees does its work: browsers give such pages no animation frames. */
const hiddenIntervalMs = 250;

/** Pump does work once per animation frame for as long as there is any. */
export class Pump {
  #cancel: (() => void) | undefined;
  readonly #onVisibility = (): void => {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#schedule();
  };

  /** The work tells whether there is more. */
  constructor(private readonly work: () => boolean) {
    document.addEventListener("visibilitychange", this.#onVisibility);
  }

  /** Asks for the work to be done at the next frame. */
  request(): void {
    if (this.#cancel === undefined) this.#schedule();
  }

  /** Ends the pump. */
  stop(): void {
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    const run = (): void => {
      this.#cancel = undefined;
      if (this.work()) this.request();
    };
    if (document.hidden) {
      const timer = setTimeout(run, hiddenIntervalMs);
      this.#cancel = () => {
        clearTimeout(timer);
      };
    } else {
      const frame = requestAnimationFrame(run);
      this.#cancel = () => {
        cancelAnimationFrame(frame);
      };
    }
  }
}
