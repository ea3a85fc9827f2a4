import { computed, type ComputedRef, onScopeDispose, readonly, ref, type Ref, shallowReactive } from "vue";
import type { Gateway } from "../gateway/gateway";
import type { TabIdentity } from "./identity";
import { ChatRoom } from "./room";
import { RoomBook, roomName } from "./rooms";

/** The room of a gateway that names none. */
const defaultRoom = "chat.lobby";

/** A room of the list. */
export interface ListedRoom {
  readonly channel: string;
  readonly name: string;
  readonly room: ChatRoom;
  /** Whether it can be left. */
  readonly joined: boolean;
}

/** The rooms of this device. */
export interface Rooms {
  readonly list: ComputedRef<readonly ListedRoom[]>;
  /** The channel of the room that is open. */
  readonly channel: Readonly<Ref<string>>;
  readonly current: ComputedRef<ChatRoom>;
  open(channel: string): void;
  /** Joins a room and opens it; false when there are too many. */
  join(channel: string): boolean;
  leave(channel: string): void;
  /** Tells all rooms by which name one is here. */
  introduce(username: string): void;
}

/** Keeps all rooms of this device subscribed for as long as the component lives. */
export function useRooms({ client, config }: Gateway, identity: TabIdentity, name: string): Rooms {
  const fixed = config.chatChannels.length === 0 ? [defaultRoom] : config.chatChannels;
  const book = new RoomBook(fixed);
  const rooms = shallowReactive(new Map<string, ChatRoom>());
  let username = name;
  const enter = (channel: string): ChatRoom => {
    const room = rooms.get(channel) ?? new ChatRoom(client, channel, identity, book, username);
    rooms.set(channel, room);
    return room;
  };
  const [first = defaultRoom] = fixed;
  const lobby = enter(first);
  for (const channel of book.channels) enter(channel);
  const channel = ref(first);

  const open = (next: string): void => {
    if (next === channel.value) return;
    rooms.get(channel.value)?.unread.leave();
    channel.value = next;
  };
  onScopeDispose(() => {
    for (const room of rooms.values()) room.close();
  });

  return {
    list: computed(() =>
      [...rooms].map(([each, room]) => ({ channel: each, name: roomName(each), room, joined: book.joined(each) })),
    ),
    channel: readonly(channel),
    current: computed(() => rooms.get(channel.value) ?? lobby),
    open,
    join(next) {
      if (!book.join(next)) return false;
      enter(next);
      open(next);
      return true;
    },
    leave(left) {
      if (left === channel.value) open(first);
      rooms.get(left)?.close();
      rooms.delete(left);
      book.leave(left);
    },
    introduce(next) {
      username = next;
      for (const room of rooms.values()) room.introduce(next);
    },
  };
}
