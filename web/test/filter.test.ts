import type { Json } from "@magpie-bridge/client";
import { describe, expect, it } from "vitest";
import { compileFilter, showAll } from "../src/logs/filter";
import { severityOf } from "../src/logs/level";
import { fieldTerm, hasTerm, parseQuery } from "../src/logs/query";
import { recordRow } from "../src/logs/record";

const row = (data: Json) => recordRow(0, { type: "message", channel: "logs.local", offset: 1, timestamp: 5, data });
const record = row({
  timestamp: "2026-11-20T10:00:00.123456Z",
  level: "warn",
  service: "order",
  message: "Stock (A-7) is low",
  trace_id: "4bf9",
  fields: { user: 42, name: "Ann Lee", http: { path: "/health" }, tags: ["eu", "eu-1"] },
});

const shows = (query: string) => compileFilter({ ...showAll, query })(record);

describe("a query", () => {
  it.each([
    ["", true],
    ["stock LOW", true],
    ["stock high", false],
    ["(a-7)", true],
    [".*", false],
    ["-low", false],
    ["-high", true],
    ['"is low"', true],
    ['"low is"', false],
    ["42", true],
    ["/health", true],
    ["eu-1", true],
    ["user=42", true],
    ["user=4", false],
    ["user!=43", true],
    ["-user=42", false],
    ["service=ORDER", true],
    ["level=warn", true],
    ["trace_id=4bf9", true],
    ['name="ann lee"', true],
    ["http.path=/health", true],
    ["fields.user=42", true],
    ["absent=", false],
    ["absent!=1", true],
    ["constructor=x", false],
    ["http.constructor.name!=Object", true],
  ])("%s: %s", (query, expected) => {
    expect(shows(query)).toBe(expected);
  });

  it("is read as it is written", () => {
    expect(parseQuery('a -b c=d e!=f "g h" i="j \\"k\\""')).toEqual([
      { kind: "text", text: "a", negated: false },
      { kind: "text", text: "b", negated: true },
      { kind: "field", name: "c", value: "d", negated: false },
      { kind: "field", name: "e", value: "f", negated: true },
      { kind: "text", text: "g h", negated: false },
      { kind: "field", name: "i", value: 'j "k"', negated: false },
    ]);
  });

  it.each(["plain", "two words", 'with "quotes" and \\', ""])("a term made of %s finds that value", (value) => {
    expect(parseQuery(fieldTerm("name", value))).toEqual([{ kind: "field", name: "name", value, negated: false }]);
  });

  it("knows what it has already", () => {
    expect(hasTerm('a user="42"', "user=42")).toBe(true);
    expect(hasTerm("a user!=42", "user=42")).toBe(false);
  });
});

describe("the other filters", () => {
  it("compare levels and services", () => {
    expect(compileFilter({ ...showAll, minimum: severityOf("warn") })(record)).toBe(true);
    expect(compileFilter({ ...showAll, minimum: severityOf("error") })(record)).toBe(false);
    expect(compileFilter({ ...showAll, service: "order" })(record)).toBe(true);
    expect(compileFilter({ ...showAll, service: "payment" })(record)).toBe(false);
  });

  it("show records without a level only when all are shown", () => {
    const unknown = row({ message: "x" });
    expect(compileFilter(showAll)(unknown)).toBe(true);
    expect(compileFilter({ ...showAll, minimum: 1 })(unknown)).toBe(false);
  });
});

describe("a record", () => {
  it("takes its time from itself, and else from the gateway", () => {
    expect(record.time).toBe(Date.UTC(2026, 10, 20, 10, 0, 0, 123));
    expect(row({ message: "x", timestamp: "yesterday" }).time).toBe(5);
  });

  it("may be no record at all", () => {
    expect(row("just text")).toMatchObject({ message: "just text", severity: 0, service: "" });
    expect(row([1, 2])).toMatchObject({ message: "[1,2]" });
    expect(row({ message: { a: 1 }, level: 7 })).toMatchObject({ message: '{"a":1}', severity: 0 });
  });
});
