/** A place in a channel: an offset in the numbering that the epoch names. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** Where a subscription or a page begins; absent means "from now", and for a page its nearest end. A position or an offset is the last one seen. */
export type Start =
  | Position
  | { readonly offset: number }
  | { readonly last: number }
  | { readonly time: number };

/** About how many bytes a channel's position takes in a connect frame. */
export function sizeOf(channel: string, position: Position): number {
  return channel.length + position.epoch.length + 64;
}
