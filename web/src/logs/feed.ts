import type { Client, ConnectionState, SubscribedFrame, Subscription } from "@magpie-bridge/client";
import type { LogEvent } from "./event";
import { Pump } from "./pump";
import { LogStore } from "./store";

/** How many of the newest records are read when a channel is opened. */
export const historyRecords = 1_000;

/** How long one frame may spend on new rows; the rest of its 16 ms is for drawing and for the viewer. */
const budgetMs = 8;

/** How long the work may take on a page that nobody sees: its turns are rare, and what waits must not pile up. */
const hiddenBudgetMs = 250;

/** LogFeed fills a store from one channel, and writes into it what happens to the line. */
export class LogFeed {
  readonly store: LogStore;
  readonly #client: Client;
  readonly #subscription: Subscription;
  readonly #pump: Pump;
  readonly #unlisten: (() => void)[];
  #seen = false;
  #tail = 0;
  #downSince: number | undefined;

  /** onStep hears after each slice of work how many shown rows left at the beginning. */
  constructor(client: Client, channel: string, onStep: (dropped: number) => void, store = new LogStore()) {
    this.store = store;
    this.#client = client;
    this.#pump = new Pump(() => {
      const { dropped, more } = store.step(performance.now() + (document.hidden ? hiddenBudgetMs : budgetMs), () => performance.now());
      onStep(dropped);
      return more;
    });
    this.#subscription = client.subscribe(channel, {
      from: { last: historyRecords },
      onMessage: (message) => {
        store.add(message);
        // What was there before is history, not traffic.
        if (message.offset > this.#tail) store.rate.add(1, performance.now());
        this.#pump.request();
      },
      onGap: ({ fromOffset = 0, toOffset = 0, reason }) => {
        this.#note({ type: "gap", from: fromOffset, to: toOffset, reason });
      },
      onSubscribed: (frame) => {
        this.#subscribed(frame);
      },
      onError: ({ code, message }) => {
        this.#note({ type: "fault", code, message });
      },
      onEnd: ({ code, message }) => {
        this.#note({ type: "ended", code, message });
      },
    });
    this.#unlisten = [
      client.onState((state) => {
        this.#stateChanged(state);
      }),
      client.onError(({ code, message }) => {
        this.#note({ type: "fault", code, message });
      }),
    ];
  }

  /** How many records came twice and were dropped. */
  get duplicates(): number {
    return this.#subscription.duplicates;
  }

  /** The offset of the newest record handled. */
  get offset(): number {
    return this.#subscription.position?.offset ?? 0;
  }

  /** Asks for a step, after the filter was changed. */
  refresh(): void {
    this.#pump.request();
  }

  /** Ends the feed. */
  close(): void {
    this.#subscription.close();
    this.#pump.stop();
    for (const unlisten of this.#unlisten) unlisten();
  }

  #subscribed({ channel, position, tail }: SubscribedFrame): void {
    this.#tail = tail;
    const { state } = this.#client;
    const node = state.kind === "connected" ? (state.session.nodeId ?? "") : "";
    const now = Date.now();
    if (this.#downSince !== undefined) {
      this.#note({ type: "restored", node, downMs: now - this.#downSince, offset: position.offset });
    } else if (!this.#seen) {
      this.#note({ type: "subscribed", channel, node, tail });
    }
    this.#downSince = undefined;
    this.#seen = true;
  }

  #stateChanged(state: ConnectionState): void {
    if (state.kind !== "waiting" && state.kind !== "closed") return;
    const { code, reason } = state.reason;
    if (state.kind === "closed") this.#note({ type: "closed", code, reason });
    // The attempts that fail afterwards are one outage.
    else if (this.#seen && this.#downSince === undefined) this.#note({ type: "lost", code, reason });
    if (this.#seen) this.#downSince ??= Date.now();
  }

  #note(event: LogEvent): void {
    this.store.note(event, Date.now());
    this.#pump.request();
  }
}
