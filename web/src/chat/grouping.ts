import type { ChatEntry, ChatMessage } from "./entry";

/** How far apart two messages of one person may be to stand under one name. */
const groupMs = 5 * 60_000;

/** An entry with what has to be said before it. */
export interface PlacedEntry {
  readonly entry: ChatEntry;
  /** Whether a new day begins with it. */
  readonly newDay: boolean;
  /** Whether it goes on where the same person just spoke. */
  readonly continued: boolean;
  /** Whether it is the first that was not seen. */
  readonly firstUnread: boolean;
}

/** Decides where days and speakers change, and where the new messages begin. */
export function place(entries: readonly ChatEntry[], unreadId?: string): PlacedEntry[] {
  let previous: ChatEntry | undefined;
  return entries.map((entry) => {
    const newDay = previous === undefined || dayOf(previous.time) !== dayOf(entry.time);
    const firstUnread = entry.id === unreadId;
    const continued = !newDay && !firstUnread && entry.kind === "message" && previous?.kind === "message" && follows(previous, entry);
    previous = entry;
    return { entry, newDay, continued, firstUnread };
  });
}

function follows(previous: ChatMessage, next: ChatMessage): boolean {
  return previous.username === next.username && previous.own === next.own && next.time - previous.time < groupMs;
}

function dayOf(time: number): string {
  return new Date(time).toDateString();
}

/** Gives a name the hue of its picture, always the same one. */
export function hueOf(name: string): number {
  let hash = 7;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return hash;
}
