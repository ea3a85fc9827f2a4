import type { LogFeed } from "./feed";

/** The figures beside the list. */
export interface LogStats {
  readonly counts: readonly number[];
  readonly services: readonly string[];
  readonly held: number;
  readonly shown: number;
  readonly dropped: number;
  readonly duplicates: number;
  readonly offset: number;
  readonly perSecond: number;
  readonly history: readonly number[];
}

/** Looks at the figures of a feed. */
export function statsOf(feed: LogFeed, now: number): LogStats {
  const { store } = feed;
  return {
    counts: [...store.counts],
    services: [...store.services.keys()].sort(),
    held: store.ring.size,
    shown: store.view.length,
    dropped: store.dropped,
    duplicates: feed.duplicates,
    offset: feed.offset,
    perSecond: store.rate.perSecond(now),
    history: store.rate.history(now),
  };
}
