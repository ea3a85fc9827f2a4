import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeFrame, encodeFrame, FormatError } from "../src/index.js";

const root = new URL("../../../protocol/vectors/", import.meta.url);

interface Vector {
  readonly name: string;
  readonly codec?: "json" | "protobuf";
  readonly input?: string;
  readonly json: string;
  readonly jsonAlso?: readonly string[];
}

function read(path: string): Vector[] {
  return JSON.parse(readFileSync(new URL(path, root), "utf8")) as Vector[];
}

/** Writes the values inside a text as JavaScript does: the spelling of a number in a payload is not kept here. */
function respelled(json: string): string {
  return JSON.stringify(JSON.parse(json));
}

function reencoded(json: string): string {
  const frame = decodeFrame(json);
  if (frame === undefined) throw new Error(`the type of this frame is not known: ${json}`);
  return encodeFrame(frame);
}

const files = readdirSync(new URL("frames/", root)).filter((name) => name.endsWith(".json"));

it("has vectors to read", () => {
  expect(files.length).toBeGreaterThanOrEqual(20);
});

describe.each(files)("frames/%s", (file) => {
  it.each(read(`frames/${file}`))("$name", ({ json, jsonAlso = [] }) => {
    expect(reencoded(json)).toBe(respelled(json));
    for (const other of jsonAlso) expect(reencoded(other)).toBe(respelled(json));
  });
});

describe("unknown.json", () => {
  const known = read("unknown.json").filter(({ codec, input }) => codec === "json" && input !== undefined);
  it.each(known)("$name", ({ input = "", json }) => {
    expect(reencoded(input)).toBe(respelled(json));
  });
});

describe("malformed.json", () => {
  const notJson = read("malformed.json").filter(({ codec, input }) => codec === "json" && input !== undefined && !isJson(input));
  it.each(notJson)("$name", ({ input = "" }) => {
    expect(() => decodeFrame(input)).toThrow(FormatError);
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
