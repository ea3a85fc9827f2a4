import type { ChannelRow } from "./directory";

/** What the channels may be ordered by. */
export type Column = "channel" | "rate" | "subscribers" | "tail" | "bytes";

/** An order of the channels. Names go up first, figures down: the largest is looked for. */
export interface Order {
  readonly column: Column;
  readonly reversed: boolean;
}

/** Orders channels; those that are alike by their names. The gateway's own order is that of the names. */
export function inOrder(rows: readonly ChannelRow[], { column, reversed }: Order): readonly ChannelRow[] {
  if (column === "channel") return reversed ? rows.toReversed() : rows;
  const sign = reversed ? 1 : -1;
  return rows.toSorted((a, b) => sign * ((a[column] ?? 0) - (b[column] ?? 0)));
}
