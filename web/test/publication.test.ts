import { expect, it } from "vitest";
import { readDraft } from "../src/channels/publication";
import { isName, payloadLine, sizeOf } from "../src/channels/show";

const draft = { kind: "data", payload: "{}", key: "", tags: "" } as const;

it("makes a publication of a draft, with nothing that was left empty", () => {
  expect(readDraft({ ...draft, payload: '{"a":[1]}' })).toEqual({ data: { a: [1] } });
  expect(readDraft({ kind: "text", payload: "{oops", key: " order-7 ", tags: "region=eu, level=a=b  empty=" })).toEqual({
    text: "{oops",
    key: "order-7",
    tags: { region: "eu", level: "a=b", empty: "" },
  });
});

it("says what is wrong with a draft", () => {
  expect(readDraft({ ...draft, payload: "{oops" })).toBe("json");
  expect(readDraft({ ...draft, tags: "region" })).toBe("tags");
  expect(readDraft({ ...draft, tags: "=eu" })).toBe("tags");
});

it("tells names from patterns", () => {
  expect(["order.update", "a", "A-1._"].map(isName)).toEqual([true, true, true]);
  expect(["", "order.*", "logs.>", "a..b", ".a", "é", "a b", "a".repeat(256)].map(isName)).toEqual(Array(8).fill(false));
});

it("shows payloads on one line, with nothing hidden in them, and sizes in their unit", () => {
  expect(payloadLine({ data: { a: "b\n" } })).toBe('{"a":"b\\n"}');
  expect(payloadLine({ text: "a\nb\u202e\u0007" })).toBe("a ↵ b\ufffd␇");
  expect(payloadLine({ text: "x".repeat(100_000) }).length).toBeLessThan(1_000);
  expect([0, 1023, 1536, 300 * 1024, 5 * 1024 ** 3].map((bytes) => { const { value, unit } = sizeOf(bytes); return [value, unit]; })).toEqual([
    [0, "B"], [1023, "B"], [1.5, "KiB"], [300, "KiB"], [5, "GiB"],
  ]);
});
