/** Where the list stands, in pixels. */
export interface ScrollMetrics {
  readonly top: number;
  readonly viewport: number;
  readonly content: number;
}

/** How near the end counts as being at the end. */
const slackPx = 8;

/**
 * Follow decides whether the list stays at its newest row. Scrolling up pauses, scrolling down to the end resumes;
 * rows that come or go by themselves do neither.
 */
export class Follow {
  #following = true;
  #lastTop = 0;
  #wasAtEnd = true;

  /** Whether the list stays at its newest row. */
  get following(): boolean {
    return this.#following;
  }

  /** Holds the list where it is. */
  pause(): void {
    this.#following = false;
  }

  /** Goes to the newest row and stays there. */
  resume(): void {
    this.#following = true;
  }

  /** Notes a position that the page itself chose. */
  moved(metrics: ScrollMetrics): void {
    this.#lastTop = metrics.top;
    this.#wasAtEnd = atEnd(metrics);
  }

  /** Notes a scroll event, which may or may not be the viewer's. */
  scrolled(metrics: ScrollMetrics): void {
    const end = atEnd(metrics);
    if (metrics.top < this.#lastTop - 1 && !end) this.#following = false;
    if (metrics.top > this.#lastTop + 1 && end && !this.#wasAtEnd) this.#following = true;
    this.#lastTop = metrics.top;
    this.#wasAtEnd = end;
  }
}

function atEnd({ top, viewport, content }: ScrollMetrics): boolean {
  return content - top - viewport <= slackPx;
}
