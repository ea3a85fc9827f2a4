import { describe, expect, it } from "vitest";
import { preview } from "../src/logs/preview";
import { colourSpans, oneLine, visible } from "../src/logs/text";

describe("a text with colours", () => {
  it("is cut at them", () => {
    expect(colourSpans("a \u001b[31;1mred\u001b[0m b")).toMatchObject([
      { text: "a ", classes: [] },
      { text: "red", classes: ["fg-ansi-red", "ansi-bold"] },
      { text: " b", classes: [] },
    ]);
  });

  it("may have exact ones", () => {
    const [span] = colourSpans("\u001b[38;2;1;2;3mx");
    expect(span).toMatchObject({ text: "x", foreground: "rgb(1, 2, 3)" });
    expect(colourSpans("\u001b[48;5;196mx")[0]).toMatchObject({ background: "rgb(255, 0, 0)" });
    expect(colourSpans("\u001b[38;5;244mx")[0]).toMatchObject({ foreground: "rgb(128, 128, 128)" });
  });

  it("stays text, whatever stands in it", () => {
    const hostile = "<img src=x onerror=alert(1)>&lt;";
    expect(colourSpans(hostile)[0]?.text).toBe(hostile);
    expect(colourSpans(`\u001b[32m${hostile}`)[0]?.text).toBe(hostile);
  });

  it("loses every other sequence", () => {
    const text = "\u001b]8;;http://evil\u001b\\a\u001b]0;title\u0007b\u001b[2Jc\u001b[10;10Hd\u001bMe";
    expect(colourSpans(text).map((span) => span.text).join("")).toBe("abcde");
  });
});

it("a sequence that does not end hides nothing", () => {
  expect(colourSpans("a\u001b]0;b c").map((span) => span.text).join("")).toBe("a0;b c");
  expect(colourSpans("a\u001bPb c").map((span) => span.text).join("")).toBe("ab c");
});

it("control characters are seen and do nothing", () => {
  expect(visible("a\u0000b\u0008c\u007f\u202ed\te\nf")).toBe("a␀b␈c\ufffd\ufffdd\te\nf");
});

it("line breaks are seen on one line", () => {
  expect(oneLine("a\r\nb\nc\rd\te")).toBe("a ↵ b ↵ c ↵ d  e");
});

it("a row shows its first fields, cut to a length", () => {
  const long = "x".repeat(500);
  expect(preview({ trace_id: "t", fields: { n: 1, o: { a: [1] }, long } })).toEqual([
    ["trace_id", "t"],
    ["n", "1"],
    ["o", '{"a":[1]}'],
    ["long", `${"x".repeat(80)}…`],
  ]);
});
