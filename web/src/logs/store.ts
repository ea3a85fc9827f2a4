import type { MessageFrame } from "@magpie-bridge/client";
import type { LogEvent } from "./event";
import { compileFilter, type FilterSettings, type Predicate, showAll } from "./filter";
import { levels } from "./level";
import { Rate } from "./rate";
import { recordRow, type RecordRow, type Row } from "./record";
import { Ring } from "./ring";
import { View } from "./view";

/** How many rows a browser tab holds: some 200 MB with records of 1 KB. */
export const defaultCapacity = 200_000;

/** How many rows are handled between two looks at the clock. */
const rowsPerLook = 64;

/** What a step changed. */
export interface StepResult {
  /** How many shown rows left at the beginning of the view. */
  readonly dropped: number;
  /** Whether work is left for another step. */
  readonly more: boolean;
}

type Input = { readonly message: MessageFrame } | { readonly event: LogEvent; readonly time: number };

/**
 * LogStore holds the rows of one channel and the view that the filter leaves of them. Messages only queue up as they
 * come; {@link step} does the work, a slice at a time, so that a burst never keeps the page from answering.
 *
 * Nothing here is reactive: the page looks once after each step.
 */
export class LogStore {
  readonly ring: Ring<Row>;
  /** How many records of each severity are held. */
  readonly counts = new Array<number>(levels.length + 1).fill(0);
  /** How many records of each service are held. */
  readonly services = new Map<string, number>();
  /** How many records come; whoever feeds the store counts them. */
  readonly rate = new Rate();
  /** How many rows went because the ring was full. */
  dropped = 0;
  view = new View();
  /** Counts the views: a new one came with another filter. */
  generation = 0;

  #queue: Input[] = [];
  #handled = 0;
  #matches: Predicate = compileFilter(showAll);
  // While a new filter is applied: the view that grows, and the next row to look at.
  #rebuild: { readonly view: View; next: number } | undefined;

  constructor(capacity = defaultCapacity) {
    this.ring = new Ring(capacity);
  }

  /** Whether there is work for a step. */
  get busy(): boolean {
    return this.#handled < this.#queue.length || this.#rebuild !== undefined;
  }

  /** Queues a message. */
  add(message: MessageFrame): void {
    this.#queue.push({ message });
  }

  /** Queues an event; it keeps its place among the messages. */
  note(event: LogEvent, time: number): void {
    this.#queue.push({ event, time });
  }

  /** Shows something else. The view changes when the steps have looked at every row. */
  filter(settings: FilterSettings): void {
    this.#matches = compileFilter(settings);
    this.#rebuild = { view: new View(), next: this.ring.first };
  }

  /** Drops all rows. */
  clear(): void {
    this.ring.clear();
    this.counts.fill(0);
    this.services.clear();
    this.dropped = 0;
    this.#show(new View());
  }

  /** Gives the row at an index of the view. */
  row(index: number): Row | undefined {
    const seq = this.view.at(index);
    return seq === undefined ? undefined : this.ring.get(seq);
  }

  /** Works until the deadline of the clock, or until nothing is left. */
  step(deadline: number, clock: () => number): StepResult {
    do {
      if (this.#rebuild !== undefined) this.#look(this.#rebuild);
      else this.#take();
    } while (this.busy && clock() < deadline);
    return { dropped: this.view.dropBefore(this.ring.first), more: this.busy };
  }

  #take(): void {
    const end = Math.min(this.#handled + rowsPerLook, this.#queue.length);
    for (; this.#handled < end; this.#handled++) {
      const input = this.#queue[this.#handled];
      if (input !== undefined) this.#append(input);
    }
    if (this.#handled === this.#queue.length) {
      this.#queue = [];
      this.#handled = 0;
    }
  }

  #append(input: Input): void {
    const seq = this.ring.next;
    if ("event" in input) {
      this.#push({ kind: "event", seq, time: input.time, event: input.event });
      this.view.push(seq);
      return;
    }
    const row = recordRow(seq, input.message);
    this.#push(row);
    this.#count(row, 1);
    if (this.#matches(row)) this.view.push(seq);
  }

  #push(row: Row): void {
    const evicted = this.ring.push(row);
    if (evicted === undefined) return;
    this.dropped++;
    if (evicted.kind === "record") this.#count(evicted, -1);
  }

  #count(row: RecordRow, change: 1 | -1): void {
    this.counts[row.severity] = (this.counts[row.severity] ?? 0) + change;
    if (row.service === "") return;
    const held = (this.services.get(row.service) ?? 0) + change;
    if (held > 0) this.services.set(row.service, held);
    else this.services.delete(row.service);
  }

  // Looks at some rows for the new filter. Rows that come meanwhile wait in the queue, so that the view stays in order.
  #look(rebuild: { readonly view: View; next: number }): void {
    const end = Math.min(rebuild.next + rowsPerLook, this.ring.next);
    for (; rebuild.next < end; rebuild.next++) {
      const row = this.ring.get(rebuild.next);
      if (row !== undefined && (row.kind === "event" || this.#matches(row))) rebuild.view.push(row.seq);
    }
    if (rebuild.next < this.ring.next) return;
    this.#show(rebuild.view);
  }

  #show(view: View): void {
    this.view = view;
    this.generation++;
    this.#rebuild = undefined;
  }
}
