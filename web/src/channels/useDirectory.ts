import { MagpieError } from "@magpie-bridge/client";
import { onActivated, onDeactivated, onScopeDispose, ref, type Ref, shallowRef, type ShallowRef, watch } from "vue";
import { askGateway } from "../gateway/api";
import type { Gateway } from "../gateway/gateway";
import { Directory, type Look } from "./directory";
import { Poller } from "./poller";

/** How long typing must rest before the pattern is asked for. */
const typingRestMs = 250;

/** What the page knows of the channels. */
export interface ChannelList {
  readonly pattern: Ref<string>;
  /** The last look that succeeded. */
  readonly look: ShallowRef<Look | undefined>;
  /** Why the last look failed. */
  readonly fault: ShallowRef<MagpieError | undefined>;
}

/** Looks at the channels for as long as the page is shown. */
export function useDirectory(gateway: Gateway): ChannelList {
  const directory = new Directory(askGateway);
  const pattern = ref("");
  const look = shallowRef<Look>();
  const fault = shallowRef<MagpieError>();

  const poller = new Poller(async (signal) => {
    try {
      look.value = await directory.look(pattern.value.trim(), signal);
      fault.value = undefined;
    } catch (error) {
      if (signal.aborted) return;
      fault.value = error instanceof MagpieError ? error : new MagpieError("unavailable", String(error));
      // What may not be seen any more is not shown any longer.
      if (fault.value.code === "permission_denied" || fault.value.code === "unauthenticated") look.value = undefined;
    }
  });

  let typing: ReturnType<typeof setTimeout> | undefined;
  watch(pattern, () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      poller.now();
    }, typingRestMs);
  });
  // With the line come another credential and a gateway that answers again.
  watch(
    () => gateway.state.value.kind,
    (kind) => {
      if (kind === "connected") poller.now();
    },
  );
  onActivated(() => {
    poller.start();
  });
  const stop = (): void => {
    clearTimeout(typing);
    poller.stop();
  };
  onDeactivated(stop);
  onScopeDispose(stop);
  return { pattern, look, fault };
}
