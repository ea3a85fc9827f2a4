import { elementScroll, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { type ShallowRef, shallowRef } from "vue";
import { Follow, type ScrollMetrics } from "./follow";
import type { Row } from "./record";
import type { LogStore } from "./store";

/** How many rows are kept ready above and below what is seen. */
const overscan = 12;

/** A row in view. */
export interface ShownRow {
  readonly row: Row;
  readonly index: number;
  /** Where it stands, in pixels from the beginning. */
  readonly top: number;
}

/** What the list shows of itself. */
export interface ListState {
  readonly following: boolean;
  /** How many shown rows came since the list was paused. */
  readonly newRows: number;
}

/** ListController keeps the rows in view right while the store changes beneath them. */
export class ListController {
  readonly rows: ShallowRef<readonly ShownRow[]> = shallowRef([]);
  readonly state: ShallowRef<ListState> = shallowRef({ following: true, newRows: 0 });

  readonly #follow = new Follow();
  readonly #virtualizer: Virtualizer<HTMLElement, HTMLElement>;
  #store: LogStore;
  #viewport: HTMLElement | null = null;
  #content: HTMLElement | null = null;
  #rowHeight: number;
  #generation = -1;
  // The number of the first row in view and how much of it is out of sight, to come back to.
  #anchor = 0;
  #anchorRest = 0;
  // The number of the first row that came after the list was paused.
  #pausedAt = 0;
  #tellOffset: (offset: number, scrolling: boolean) => void = () => undefined;
  #unmount: (() => void) | undefined;

  constructor(store: LogStore, rowHeight: number) {
    this.#store = store;
    this.#rowHeight = rowHeight;
    this.#virtualizer = new Virtualizer({
      count: 0,
      overscan,
      estimateSize: () => this.#rowHeight,
      getScrollElement: () => this.#viewport,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset: (_, tell) => this.#observe(tell),
      onChange: () => {
        this.#render();
      },
    });
  }

  /** Begins to draw into the elements: the one that scrolls, and the one in it that is as high as all rows. */
  mount(viewport: HTMLElement, content: HTMLElement): void {
    this.#viewport = viewport;
    this.#content = content;
    this.#unmount = this.#virtualizer._didMount();
    this.#virtualizer._willUpdate();
    this.refresh(0);
  }

  /** Ends drawing. */
  unmount(): void {
    this.#unmount?.();
    this.#viewport = this.#content = null;
  }

  /** Shows another store, from its newest row. */
  show(store: LogStore): void {
    this.#store = store;
    this.#generation = -1;
    this.resume();
  }

  /** Takes another height of rows. */
  resize(rowHeight: number): void {
    if (rowHeight === this.#rowHeight) return;
    this.#rowHeight = rowHeight;
    this.#generation = -1;
    this.#virtualizer.measure();
    this.refresh(0);
  }

  /** Takes up its place again after the page was away. */
  restore(): void {
    this.#generation = -1;
    this.refresh(0);
  }

  /** Stays at the newest row. */
  resume(): void {
    this.#follow.resume();
    this.refresh(0);
  }

  /** Holds the list where it is. */
  pause(): void {
    this.#hold();
    this.#tell();
  }

  /** Brings a row into view. */
  reveal(index: number): void {
    this.pause();
    this.#virtualizer.scrollToIndex(index, { align: "auto" });
  }

  /** Draws the list again after the store changed: so many rows left at its beginning. */
  refresh(dropped: number): void {
    const { view, generation } = this.#store;
    const viewport = this.#viewport;
    // A page that is away has no height and no place; restore finds it again.
    if (viewport === null || this.#content === null || viewport.clientHeight === 0) return;
    this.#virtualizer.setOptions({ ...this.#virtualizer.options, count: view.length });
    this.#content.style.height = `${String(view.length * this.#rowHeight)}px`;
    if (this.#follow.following) {
      this.#scrollTo(view.length * this.#rowHeight);
    } else if (generation !== this.#generation) {
      this.#scrollTo(view.indexOf(this.#anchor) * this.#rowHeight + this.#anchorRest);
    } else if (dropped > 0) {
      this.#scrollTo(viewport.scrollTop - dropped * this.#rowHeight);
    }
    this.#generation = generation;
    this.#render();
    this.#tell();
  }

  #observe(tell: (offset: number, scrolling: boolean) => void): () => void {
    const viewport = this.#viewport;
    if (viewport === null) return () => undefined;
    this.#tellOffset = tell;
    const onScroll = (): void => {
      const before = this.#follow.following;
      this.#follow.scrolled(metrics(viewport));
      if (before && !this.#follow.following) this.#hold();
      tell(viewport.scrollTop, false);
      this.#tell();
    };
    viewport.addEventListener("scroll", onScroll, { passive: true });
    tell(viewport.scrollTop, false);
    return () => {
      viewport.removeEventListener("scroll", onScroll);
    };
  }

  // The scroll event comes only with the next frame; the rows have to be right in this one.
  #scrollTo(top: number): void {
    const viewport = this.#viewport;
    if (viewport === null) return;
    viewport.scrollTop = top;
    this.#follow.moved(metrics(viewport));
    this.#tellOffset(viewport.scrollTop, false);
  }

  #hold(): void {
    this.#follow.pause();
    this.#pausedAt = this.#store.ring.next;
  }

  #render(): void {
    if (this.#viewport === null || this.#viewport.clientHeight === 0) return;
    const shown: ShownRow[] = [];
    for (const { index, start } of this.#virtualizer.getVirtualItems()) {
      const row = this.#store.row(index);
      if (row !== undefined) shown.push({ row, index, top: start });
    }
    this.rows.value = shown;
    const { scrollTop } = this.#viewport;
    this.#anchor = this.#store.view.at(Math.floor(scrollTop / this.#rowHeight)) ?? this.#store.ring.next;
    this.#anchorRest = scrollTop % this.#rowHeight;
  }

  #tell(): void {
    const { following } = this.#follow;
    const { view } = this.#store;
    const newRows = following ? 0 : view.length - view.indexOf(this.#pausedAt);
    const { value } = this.state;
    if (value.following !== following || value.newRows !== newRows) this.state.value = { following, newRows };
  }
}

function metrics({ scrollTop, clientHeight, scrollHeight }: HTMLElement): ScrollMetrics {
  return { top: scrollTop, viewport: clientHeight, content: scrollHeight };
}
