import type { Client } from "@magpie-bridge/client";
import { onScopeDispose, type Ref, shallowRef, type ShallowRef, watch } from "vue";
import type { TabIdentity } from "./identity";
import { Typing } from "./typing";

/** Tells who types in the room that is open. */
export function useTyping(client: Client, channel: Readonly<Ref<string>>, identity: TabIdentity): Readonly<ShallowRef<Typing>> {
  const typing = shallowRef(new Typing(client, channel.value, identity));
  watch(channel, (next) => {
    typing.value.close();
    typing.value = new Typing(client, next, identity);
  });
  onScopeDispose(() => {
    typing.value.close();
  });
  return typing;
}
