import type { Json, JsonObject, Pairs } from "./payload.js";

/** Tells what keeps a text from being a frame. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

/** Reports whether a value is a JSON object. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Fields reads the fields of one JSON object and complains about those that have another type. */
export class Fields {
  constructor(
    private readonly object: JsonObject,
    private readonly path: string,
  ) {}

  /** Reads a string that may be absent. */
  string(name: string): string | undefined {
    const value = this.#value(name);
    if (value === undefined || typeof value === "string") return value;
    throw this.#mismatch(name, "a string");
  }

  /** Reads a string; an absent one is empty, as the gateway leaves empty strings out. */
  text(name: string): string {
    return this.string(name) ?? "";
  }

  /** Reads a whole number that may be absent. */
  integer(name: string): number | undefined {
    const value = this.#value(name);
    if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value))) return value;
    throw this.#mismatch(name, "a whole number below 2^53");
  }

  /** Reads a whole number; an absent one is 0. */
  count(name: string): number {
    return this.integer(name) ?? 0;
  }

  /** Reads a truth value that may be absent. */
  boolean(name: string): boolean | undefined {
    const value = this.#value(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw this.#mismatch(name, "true or false");
  }

  /** Reads any JSON value; here null is a value too. */
  json(name: string): Json | undefined {
    return this.object[name];
  }

  /** Reads an object that may be absent. */
  fields(name: string): Fields | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (isObject(value)) return new Fields(value, `${this.path}.${name}`);
    throw this.#mismatch(name, "an object");
  }

  /** Reads an object that must be there. */
  required(name: string): Fields {
    const fields = this.fields(name);
    if (fields === undefined) throw this.#mismatch(name, "an object");
    return fields;
  }

  /** Reads an array of objects that may be absent. */
  list(name: string): Fields[] | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw this.#mismatch(name, "an array");
    return (value as readonly Json[]).map((item, index) => {
      if (!isObject(item)) throw this.#mismatch(`${name}[${String(index)}]`, "an object");
      return new Fields(item, `${this.path}.${name}[${String(index)}]`);
    });
  }

  /** Reads an object whose values are strings. */
  pairs(name: string): Pairs | undefined {
    return this.map(name, (fields, key) => fields.text(key));
  }

  /** Reads an object as a map: each of its entries through the function. */
  map<T>(name: string, read: (fields: Fields, key: string) => T): Record<string, T> | undefined {
    const fields = this.fields(name);
    if (fields === undefined) return undefined;
    return Object.fromEntries(Object.keys(fields.object).map((key) => [key, read(fields, key)]));
  }

  // Elsewhere null says what an absent field says.
  #value(name: string): Exclude<Json, null> | undefined {
    return this.object[name] ?? undefined;
  }

  #mismatch(name: string, expected: string): FormatError {
    return new FormatError(`${this.path}.${name} is not ${expected}`);
  }
}
