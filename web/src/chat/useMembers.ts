import type { Client } from "@magpie-bridge/client";
import { computed, type ComputedRef, onScopeDispose, type Ref, shallowRef, watch } from "vue";
import { type Attendance, Members } from "./members";

/** Tells who is in the room that is open; undefined where the gateway does not tell. */
export function useMembers(client: Client, channel: Readonly<Ref<string>>): ComputedRef<Attendance | undefined> {
  const members = shallowRef(new Members(client, channel.value));
  watch(channel, (next) => {
    members.value.close();
    members.value = new Members(client, next);
  });
  onScopeDispose(() => {
    members.value.close();
  });
  return computed(() => members.value.view.value);
}
