import Anser from "anser";

/** A piece of text with its colours. */
export interface Span {
  readonly text: string;
  /** Classes of the sixteen colours and of the decorations. */
  readonly classes: readonly string[];
  /** Exact colours in CSS, where the text asks for other than the sixteen. */
  readonly foreground: string | undefined;
  readonly background: string | undefined;
}

const escape = "\u001b";

// Escape sequences that are not colours: cursor movements, titles, links. They would only show as rubbish. Of one that
// does not end only the beginning goes: it must not take the rest of the line with it.
// eslint-disable-next-line no-control-regex
const otherSequences = /\u001b(?:\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[PX^_][^\u001b]*\u001b\\|\[[0-9;?<=>!]*[ -/]*[@-ln-~]|[@-Z\\-_])/g;

// eslint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Cuts a text at its ANSI colours. The spans are plain text, whatever the text held. */
export function colourSpans(text: string): Span[] {
  if (!text.includes(escape)) return [{ text: visible(text), classes: [], foreground: undefined, background: undefined }];
  const pieces = Anser.ansiToJson(text.replace(otherSequences, ""), { use_classes: true, remove_empty: true });
  return pieces.map((piece) => ({
    text: visible(piece.content),
    classes: [...colourClass(piece.fg, "fg"), ...colourClass(piece.bg, "bg"), ...piece.decorations.map((name) => `ansi-${name}`)],
    foreground: exactColour(piece.fg, piece.fg_truecolor),
    background: exactColour(piece.bg, piece.bg_truecolor),
  }));
}

/** Takes ANSI sequences out of a text. */
export function withoutColours(text: string): string {
  return text.includes(escape) ? Anser.ansiToText(text.replace(otherSequences, "")) : text;
}

/** Puts a text on one line, with its breaks still to be seen. */
export function oneLine(text: string): string {
  return text.replace(/\r\n|\r|\n/g, " \u21b5 ").replace(/\t/g, "  ");
}

/** Makes control characters and those that turn the writing direction visible, but keeps line breaks and tabs. */
export function visible(text: string): string {
  return text.replace(controls, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\ufffd";
  });
}

// The library's types do not say so, but a colour that is not set is null.
function colourClass(colour: string | null, place: "fg" | "bg"): string[] {
  return colour !== null && /^ansi-(bright-)?[a-z]+$/.test(colour) ? [`${place}-${colour}`] : [];
}

function exactColour(colour: string | null, truecolour: string | null): string | undefined {
  if (truecolour !== null && /^[\d, ]+$/.test(truecolour)) return `rgb(${truecolour})`;
  const palette = /^ansi-palette-(\d+)$/.exec(colour ?? "")?.[1];
  return palette === undefined ? undefined : paletteColour(Number(palette));
}

// The fixed part of the 256 colours: a cube of 6 x 6 x 6, then 24 greys.
function paletteColour(index: number): string | undefined {
  if (index < 16 || index > 255) return undefined;
  if (index >= 232) {
    const grey = String(8 + (index - 232) * 10);
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const steps = [0, 95, 135, 175, 215, 255];
  const cube = index - 16;
  const parts = [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6];
  return `rgb(${parts.map((part) => String(steps[part] ?? 0)).join(", ")})`;
}
