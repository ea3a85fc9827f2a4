import { onScopeDispose, reactive, ref, type Ref, shallowRef, type ShallowRef, watch } from "vue";
import type { Gateway } from "../gateway/gateway";
import { LogFeed } from "./feed";
import { type FilterSettings, showAll } from "./filter";
import { ListController } from "./list";
import type { RecordRow } from "./record";
import { type LogStats, statsOf } from "./stats";

/** How often the figures are written anew. */
const statsIntervalMs = 250;

/** How long typing must rest before the filter is applied. */
const typingRestMs = 80;

/** What the logs page works with. */
export interface Logs {
  readonly channel: Ref<string>;
  readonly settings: { -readonly [K in keyof FilterSettings]: FilterSettings[K] };
  readonly list: ListController;
  readonly stats: ShallowRef<LogStats>;
  readonly selected: ShallowRef<RecordRow | undefined>;
  /** Moves the selection by so many records. */
  move(step: 1 | -1): void;
  toggleFollow(): void;
  clear(): void;
}

/** Reads a log channel for as long as the component lives. */
export function useLogs(gateway: Gateway, rowHeight: number): Logs {
  const channel = ref(gateway.config.logChannels[0] ?? "logs.local");
  const settings = reactive({ ...showAll });
  const selected = shallowRef<RecordRow | undefined>();

  const open = (): LogFeed =>
    new LogFeed(gateway.client, channel.value, (dropped) => {
      list.refresh(dropped);
    });
  let feed = open();
  const list = new ListController(feed.store, rowHeight);
  const stats = shallowRef(statsOf(feed, performance.now()));

  const timer = setInterval(() => {
    stats.value = statsOf(feed, performance.now());
  }, statsIntervalMs);

  const applyFilter = (): void => {
    feed.store.filter(settings);
    feed.refresh();
  };
  let typing: ReturnType<typeof setTimeout> | undefined;
  watch(settings, () => {
    clearTimeout(typing);
    typing = setTimeout(applyFilter, typingRestMs);
  });

  watch(channel, () => {
    feed.close();
    selected.value = undefined;
    feed = open();
    applyFilter();
    list.show(feed.store);
  });

  onScopeDispose(() => {
    clearInterval(timer);
    clearTimeout(typing);
    feed.close();
  });

  return {
    channel,
    settings,
    list,
    stats,
    selected,
    move(step) {
      const { view } = feed.store;
      let index = selected.value === undefined ? view.length : view.indexOf(selected.value.seq);
      for (index += step; index >= 0 && index < view.length; index += step) {
        const row = feed.store.row(index);
        if (row?.kind !== "record") continue;
        selected.value = row;
        list.reveal(index);
        return;
      }
    },
    toggleFollow() {
      if (list.state.value.following) list.pause();
      else list.resume();
    },
    clear() {
      feed.store.clear();
      selected.value = undefined;
      list.resume();
    },
  };
}
