import type { Json } from "@magpie-bridge/client";
import type { Ask } from "../gateway/api";
import { isObject } from "../logs/record";

/** How many channels one request asks for: the most that the gateway gives. */
const pageChannels = 1_000;

/** How many channels the page holds at most; a pattern finds the others. */
export const maxChannels = 10_000;

/** How a channel stands. */
export interface ChannelRow {
  readonly channel: string;
  readonly epoch: string;
  readonly head: number;
  readonly tail: number;
  readonly messages: number;
  readonly bytes: number;
  readonly subscribers: number;
  /** Messages a second since the look before; undefined at the first. */
  readonly rate: number | undefined;
}

/** What one look at the gateway found. */
export interface Look {
  readonly rows: readonly ChannelRow[];
  /** How many channels there are, those included for which there was no room. */
  readonly total: number;
}

interface Mark {
  readonly epoch: string;
  readonly tail: number;
  readonly time: number;
}

/** Directory looks at the channels of the node, and tells from two looks how fast each of them moves. */
export class Directory {
  #marks = new Map<string, Mark>();

  constructor(
    private readonly ask: Ask,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Looks at the channels that the pattern covers; an empty one covers all. */
  async look(pattern: string, signal: AbortSignal): Promise<Look> {
    const marks = new Map<string, Mark>();
    const rows: ChannelRow[] = [];
    let total = 0;
    let after: string | undefined;
    do {
      const answer = await this.ask("Channels", { pattern, limit: pageChannels, after }, signal);
      const page = isObject(answer) ? answer : {};
      const time = this.clock();
      for (const info of listOf(page["channels"])) rows.push(this.#row(info, time, marks));
      total = numberOf(page["total"]);
      after = textOf(page["next"]) || undefined;
    } while (after !== undefined && rows.length < maxChannels);
    this.#marks = marks;
    return { rows, total };
  }

  #row(info: Json, time: number, marks: Map<string, Mark>): ChannelRow {
    const fields = isObject(info) ? info : {};
    const channel = textOf(fields["channel"]);
    const mark = { epoch: textOf(fields["epoch"]), tail: numberOf(fields["tail"]), time };
    const before = this.#marks.get(channel);
    marks.set(channel, mark);
    return {
      channel,
      epoch: mark.epoch,
      head: numberOf(fields["head"]),
      tail: mark.tail,
      messages: numberOf(fields["messages"]),
      bytes: numberOf(fields["bytes"]),
      subscribers: numberOf(fields["subscribers"]),
      rate: before === undefined ? undefined : rateBetween(before, mark),
    };
  }
}

// Another epoch numbers anew: its tail is all that is known to have come.
function rateBetween(before: Mark, now: Mark): number | undefined {
  const seconds = (now.time - before.time) / 1000;
  if (seconds <= 0) return undefined;
  const came = now.epoch === before.epoch ? now.tail - before.tail : now.tail;
  return Math.max(0, came) / seconds;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function numberOf(value: Json | undefined): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
