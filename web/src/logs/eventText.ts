import type { Speech } from "../i18n/language";
import { why } from "../shell/why";
import type { LogEvent } from "./event";

/** How an event is coloured. */
export type Tone = "good" | "warn" | "bad";

/** Tells how bad an event is. */
export function toneOf(event: LogEvent): Tone {
  switch (event.type) {
    case "subscribed":
    case "restored":
      return "good";
    case "lost":
    case "gap":
      return "warn";
    case "closed":
    case "ended":
    case "fault":
      return "bad";
  }
}

/** Says what happened. */
export function eventText(event: LogEvent, speech: Speech): string {
  const { event: text } = speech.t.value;
  const { number } = speech;
  switch (event.type) {
    case "subscribed":
      return text.subscribed(event.channel, event.node);
    case "restored":
      return text.restored(number(event.downMs / 1000, 1), number(event.offset));
    case "lost":
      return text.lost(why(speech, event.code, event.reason));
    case "closed":
      return text.closed(why(speech, event.code, event.reason));
    case "gap":
      if (event.reason === "epoch") return text.renumbered;
      return text.gap(
        number(Math.max(0, event.to - event.from + 1)),
        number(event.from),
        number(event.to),
        text.reason[event.reason] ?? event.reason,
      );
    case "ended":
      return text.ended(`${event.message} (${event.code})`);
    case "fault":
      return text.fault(`${event.message} (${event.code})`);
  }
}
