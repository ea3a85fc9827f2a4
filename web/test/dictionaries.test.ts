import { expect, it } from "vitest";
import { en } from "../src/i18n/en";
import { zh } from "../src/i18n/zh";

/** Gives every text by its path; functions as what they say of marked arguments. */
function texts(value: unknown, path = ""): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value === "function") {
    const say = value as (...args: string[]) => string;
    return [[path, say("‹1›", "‹2›", "‹3›", "‹4›")]];
  }
  return Object.entries(value as object).flatMap(([key, child]) => texts(child, `${path}.${key}`));
}

it("both languages say everything, with the same arguments", () => {
  const marks = (dictionary: object) =>
    texts(dictionary).map(([path, text]) => [path, [...text.matchAll(/‹\d›/g)].map(String).sort()]);
  expect(marks(zh)).toEqual(marks(en));
  expect([...texts(en), ...texts(zh)].filter(([, text]) => text.trim() === "")).toEqual([]);
});
