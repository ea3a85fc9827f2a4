import type { Json, JsonObject } from "@magpie-bridge/client";
import type { Severity } from "./level";
import { parseQuery, type Term } from "./query";
import { isObject, type RecordRow } from "./record";

/** What the viewer wants to see. */
export interface FilterSettings {
  readonly query: string;
  /** The least severity shown; 0 shows all, also the unknown. */
  readonly minimum: Severity;
  /** The one service shown; empty shows all. */
  readonly service: string;
}

/** The settings that show everything. */
export const showAll: FilterSettings = { query: "", minimum: 0, service: "" };

/** Reports whether a record is shown. */
export type Predicate = (row: RecordRow) => boolean;

/** Makes the predicate of the settings. */
export function compileFilter({ query, minimum, service }: FilterSettings): Predicate {
  const tests = parseQuery(query).map(compileTerm);
  return (row) =>
    row.severity >= minimum && (service === "" || row.service === service) && tests.every((test) => test(row));
}

function compileTerm(term: Term): Predicate {
  const test = term.kind === "text" ? compileText(term.text) : compileField(term.name, term.value);
  return term.negated ? (row) => !test(row) : test;
}

function compileText(text: string): Predicate {
  // A regular expression ignores case without making a copy of every record.
  const pattern = new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "iu");
  return (row) => pattern.test(row.message) || contains(row.data, pattern, 0);
}

/** How deep a text is looked for: records are flat, and one that is not must not cost more. */
const maxDepth = 6;

function contains(value: Json | undefined, pattern: RegExp, depth: number): boolean {
  if (value === null || value === undefined || depth > maxDepth) return false;
  if (typeof value === "string") return pattern.test(value);
  if (typeof value !== "object") return pattern.test(String(value));
  for (const child of Object.values(value) as (Json | undefined)[]) {
    if (contains(child, pattern, depth + 1)) return true;
  }
  return false;
}

function compileField(name: string, value: string): Predicate {
  const wanted = value.toLowerCase();
  return (row) => {
    const found = lookUp(row.data, name);
    return found !== undefined && asText(found).toLowerCase() === wanted;
  };
}

/** Finds a field by its name: among the well-known ones, among the others, or along a dotted path. */
function lookUp(data: Json, name: string): Json | undefined {
  if (!isObject(data)) return undefined;
  const fields = isObject(data["fields"]) ? data["fields"] : {};
  return own(data, name) ?? own(fields, name) ?? follow(data, name) ?? follow(fields, name);
}

function follow(object: JsonObject, path: string): Json | undefined {
  let value: Json | undefined = object;
  for (const key of path.split(".")) {
    if (!isObject(value)) return undefined;
    value = own(value, key);
  }
  return value;
}

// Every object has fields that nobody sent, such as "constructor".
function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function asText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
