import { CloseCode } from "@magpie-bridge/client";
import type { Speech } from "../i18n/language";

/** Says why a line ended. Most lines end without a word: then the gateway cannot be reached. */
export function why({ t }: Speech, code: number, reason: string): string {
  if (reason === "" && code === CloseCode.abnormal) return t.value.state.unreachable;
  return t.value.state.why(String(code), reason);
}
