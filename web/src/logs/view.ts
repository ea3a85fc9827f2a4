/** View lists the numbers of the rows that are shown, in their order, and lets the oldest go cheaply. */
export class View {
  #seqs: number[] = [];
  #start = 0;

  /** How many rows are shown. */
  get length(): number {
    return this.#seqs.length - this.#start;
  }

  /** Gives the number of the row at an index. */
  at(index: number): number | undefined {
    return this.#seqs[this.#start + index];
  }

  /** Adds the newest row. */
  push(seq: number): void {
    this.#seqs.push(seq);
  }

  /** Drops the rows numbered below first, and gives how many they were. */
  dropBefore(first: number): number {
    const before = this.#start;
    while (this.#start < this.#seqs.length && (this.#seqs[this.#start] ?? first) < first) this.#start++;
    const dropped = this.#start - before;
    // Moving what is left costs as much as was dropped since the last time: constant per row.
    if (this.#start > this.#seqs.length / 2) {
      this.#seqs = this.#seqs.slice(this.#start);
      this.#start = 0;
    }
    return dropped;
  }

  /** Finds the index of the first row whose number is not below seq. */
  indexOf(seq: number): number {
    let low = this.#start;
    let high = this.#seqs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#seqs[middle] ?? seq) < seq) low = middle + 1;
      else high = middle;
    }
    return low - this.#start;
  }
}
