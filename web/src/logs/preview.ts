import type { Json } from "@magpie-bridge/client";
import { extraFields } from "./record";
import { oneLine, visible, withoutColours } from "./text";

/** How many fields a row shows, and how much of each: a row is one line. */
const maxFields = 8;
const maxValueLength = 80;

/** Gives the fields that a row shows behind its message. */
export function preview(data: Json): [name: string, value: string][] {
  return Object.entries(extraFields(data))
    .slice(0, maxFields)
    .map(([name, value]) => [visible(name), short(value)]);
}

function short(value: Json | undefined): string {
  const text = typeof value === "string" ? value : JSON.stringify(value ?? null);
  const line = visible(oneLine(withoutColours(text.slice(0, 2 * maxValueLength))));
  return line.length > maxValueLength ? `${line.slice(0, maxValueLength)}…` : line;
}
