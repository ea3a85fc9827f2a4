import { computed, nextTick, onActivated, onDeactivated, onScopeDispose, type Ref, ref, watch } from "vue";
import type { PlacedEntry } from "./grouping";
import type { ChatRoom } from "./room";

/** How near the end counts as being at the end, in pixels. */
const slackPx = 40;

/** How a room is read. */
export interface Reading {
  /** Whether the newest entry is in view. */
  readonly atEnd: Ref<boolean>;
  onScroll(): void;
  toEnd(): void;
}

/** Keeps the place in the open room: at the first message that was not seen, or at the end. What is seen there is read. */
export function useReading(
  viewport: Readonly<Ref<HTMLElement | null>>,
  room: Readonly<Ref<ChatRoom>>,
  entries: Readonly<Ref<readonly PlacedEntry[]>>,
): Reading {
  const atEnd = ref(true);
  const active = ref(true);
  const visible = ref(!document.hidden);
  // Whether the place in this room was found, which takes what the room held when it was opened.
  const placed = ref(false);
  const seen = computed(() => placed.value && atEnd.value && active.value && visible.value);

  const toEnd = (): void => {
    viewport.value?.scrollTo({ top: viewport.value.scrollHeight });
  };
  const onScroll = (): void => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = viewport.value ?? {};
    if (clientHeight > 0) atEnd.value = scrollHeight - scrollTop - clientHeight < slackPx;
  };
  const keep = async (): Promise<void> => {
    const { unread } = room.value;
    await nextTick();
    if (placed.value) {
      if (atEnd.value) toEnd();
      return;
    }
    const line = viewport.value?.querySelector("[data-test=new-line]");
    if (line) line.scrollIntoView({ block: "center" });
    else toEnd();
    onScroll();
    placed.value = unread.settled;
  };

  watch(entries, keep);
  watch(room, () => {
    placed.value = false;
    void keep();
  });
  watch(
    [room, seen, () => room.value.unread.count.value],
    () => {
      room.value.unread.watched = seen.value;
      if (seen.value && room.value.unread.count.value > 0) room.value.unread.markRead();
    },
    { immediate: true },
  );

  const onVisibility = (): void => {
    visible.value = !document.hidden;
  };
  document.addEventListener("visibilitychange", onVisibility);
  onActivated(() => {
    active.value = true;
    if (atEnd.value) toEnd();
  });
  onDeactivated(() => {
    active.value = false;
  });
  onScopeDispose(() => {
    document.removeEventListener("visibilitychange", onVisibility);
  });
  return { atEnd, onScroll, toEnd };
}
