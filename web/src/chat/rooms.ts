import type { Position } from "@magpie-bridge/client";

const roomsKey = "magpie.chat.rooms";
const readKey = (channel: string): string => `magpie.chat.read.${channel}`;

/** How many rooms a device remembers: each of them is subscribed, for its unread count. */
export const maxRooms = 50;

/** How long the name of a room may be. */
export const maxNameLength = 64;

const prefix = "chat.";

/** Gives the channel of a room; undefined where the name cannot be one. */
export function roomChannel(name: string): string | undefined {
  return /^[A-Za-z0-9_-]+$/.test(name) && name.length <= maxNameLength ? `${prefix}${name}` : undefined;
}

/** Gives the name of a room by its channel. */
export function roomName(channel: string): string {
  return channel.startsWith(prefix) ? channel.slice(prefix.length) : channel;
}

/** RoomBook remembers for this device which rooms were joined and how far each was read. */
export class RoomBook {
  /** The channels of the rooms: those of the gateway first, then those that were joined. */
  get channels(): readonly string[] {
    return this.#channels;
  }

  #channels: readonly string[];

  constructor(private readonly fixed: readonly string[]) {
    this.#channels = [...new Set([...fixed, ...storedRooms()])];
  }

  /** Reports whether a room was joined here, and is not one that everybody has. */
  joined(channel: string): boolean {
    return !this.fixed.includes(channel);
  }

  /** Joins a room; false when there are too many. */
  join(channel: string): boolean {
    if (this.#channels.includes(channel)) return true;
    if (this.#channels.length >= maxRooms) return false;
    this.#store([...this.#channels, channel]);
    return true;
  }

  /** Leaves a room, and forgets how far it was read. */
  leave(channel: string): void {
    if (!this.joined(channel)) return;
    this.#store(this.#channels.filter((each) => each !== channel));
    localStorage.removeItem(readKey(channel));
  }

  /** Tells how far a room was read on this device. */
  readUpTo(channel: string): Position | undefined {
    const { epoch, offset } = parsed(localStorage.getItem(readKey(channel))) as Partial<Position>;
    return typeof epoch === "string" && typeof offset === "number" ? { epoch, offset } : undefined;
  }

  /** Remembers how far a room was read. */
  markRead(channel: string, position: Position): void {
    localStorage.setItem(readKey(channel), JSON.stringify(position));
  }

  #store(channels: readonly string[]): void {
    this.#channels = channels;
    localStorage.setItem(roomsKey, JSON.stringify(channels.filter((channel) => this.joined(channel))));
  }
}

function storedRooms(): string[] {
  const rooms = parsed(localStorage.getItem(roomsKey));
  if (!Array.isArray(rooms)) return [];
  const named = rooms.filter((room): room is string => typeof room === "string");
  return named.filter((room) => roomChannel(roomName(room)) === room).slice(0, maxRooms);
}

// What is stored may be of another version, or somebody's own work.
function parsed(text: string | null): object {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
