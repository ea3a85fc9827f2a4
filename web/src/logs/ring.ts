/** What a ring holds: things that count up without a hole. */
export interface Numbered {
  readonly seq: number;
}

/** Ring holds the newest items, up to its capacity. They are found by their number. */
export class Ring<T extends Numbered> {
  readonly #items: (T | undefined)[] = [];
  #first = 0;
  #next = 0;

  constructor(readonly capacity: number) {}

  /** The number of the oldest item held. */
  get first(): number {
    return this.#first;
  }

  /** The number that the next item must have. */
  get next(): number {
    return this.#next;
  }

  /** How many items are held. */
  get size(): number {
    return this.#next - this.#first;
  }

  /** Adds an item, and gives the oldest one if it had to go for it. */
  push(item: T): T | undefined {
    const slot = this.#next % this.capacity;
    const evicted = this.size === this.capacity ? this.#items[slot] : undefined;
    this.#items[slot] = item;
    this.#next++;
    if (evicted !== undefined) this.#first++;
    return evicted;
  }

  /** Finds an item by its number; undefined when it is not held. */
  get(seq: number): T | undefined {
    if (seq < this.#first || seq >= this.#next) return undefined;
    return this.#items[seq % this.capacity];
  }

  /** Drops all items. The numbers go on. */
  clear(): void {
    this.#items.length = 0;
    this.#first = this.#next;
  }
}
