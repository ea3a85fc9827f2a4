/** How long the page waits between two looks. */
export const pollMs = 2_000;

/** Poller does work again and again, a while after it was done, for as long as somebody can see the page. */
export class Poller {
  #on = false;
  #running: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #onVisibility = (): void => {
    this.now();
  };

  constructor(private readonly work: (signal: AbortSignal) => Promise<void>) {}

  /** Begins, at once. */
  start(): void {
    if (this.#on) return;
    this.#on = true;
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.now();
  }

  /** Ends; work under way is aborted. */
  stop(): void {
    this.#on = false;
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#cancel();
  }

  /** Works now instead of later. Work under way is aborted: what it asked for is not wanted any more. */
  now(): void {
    this.#cancel();
    if (!this.#on || document.hidden) return;
    const running = new AbortController();
    this.#running = running;
    void this.work(running.signal).finally(() => {
      if (this.#running !== running) return;
      this.#timer = setTimeout(() => {
        this.now();
      }, pollMs);
    });
  }

  #cancel(): void {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = undefined;
  }
}
