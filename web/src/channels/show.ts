import type { Pairs, Payload } from "@magpie-bridge/client";
import { oneLine, visible, withoutColours } from "../logs/text";

/** How much of a payload a row shows. */
const previewLength = 300;

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Splits a size into a figure and its unit. */
export function sizeOf(bytes: number): { readonly value: number; readonly digits: number; readonly unit: string } {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return { value, digits: unit === 0 || value >= 100 ? 0 : 1, unit: units[unit] ?? "" };
}

/** Puts a payload on one line. */
export function payloadLine({ data, text, base64 }: Payload): string {
  const whole = data === undefined ? (text ?? base64 ?? "") : JSON.stringify(data);
  return visible(oneLine(withoutColours(whole.slice(0, previewLength))));
}

/** Puts tags on one line. */
export function tagsLine(tags: Pairs = {}): string {
  return visible(oneLine(Object.entries(tags).map(([name, value]) => `${name}=${value}`).join(" ")));
}

/** Reports whether a text is the name of one channel. */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(text) && text.length <= 255;
}
