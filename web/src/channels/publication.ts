import type { Json, Publication } from "@magpie-bridge/client";

/** What somebody wrote into the form. */
export interface Draft {
  readonly kind: "data" | "text";
  readonly payload: string;
  readonly key: string;
  /** Such as `region=eu level=warn`. */
  readonly tags: string;
}

/** What is wrong with a draft. */
export type DraftFault = "json" | "tags";

/** Makes the publication of a draft, or says what is wrong with it. */
export function readDraft({ kind, payload, key, tags }: Draft): Publication | DraftFault {
  const pairs = readTags(tags);
  if (pairs === undefined) return "tags";
  const rest = {
    ...(key.trim() === "" ? {} : { key: key.trim() }),
    ...(pairs.length === 0 ? {} : { tags: Object.fromEntries(pairs) }),
  };
  if (kind === "text") return { ...rest, text: payload };
  try {
    return { ...rest, data: JSON.parse(payload) as Json };
  } catch {
    return "json";
  }
}

function readTags(text: string): [string, string][] | undefined {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  const pairs = words.map((word): [string, string] => {
    const at = word.indexOf("=");
    return [word.slice(0, Math.max(at, 0)), word.slice(at + 1)];
  });
  return pairs.some(([name]) => name === "") ? undefined : pairs;
}
