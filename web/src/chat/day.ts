import type { Speech } from "../i18n/language";

const dayMs = 86_400_000;

/** Names the day of a time. */
export function dayName(time: number, { t, language }: Speech, now = Date.now()): string {
  const day = new Date(time).toDateString();
  if (day === new Date(now).toDateString()) return t.value.chat.today;
  if (day === new Date(now - dayMs).toDateString()) return t.value.chat.yesterday;
  return new Date(time).toLocaleDateString(language.value, { dateStyle: "full" });
}

/** Writes the time of day to the minute. */
export function minuteStamp(time: number): string {
  const date = new Date(time);
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}
