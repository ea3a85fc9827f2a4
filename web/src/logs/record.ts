import type { Json, JsonObject, MessageFrame } from "@magpie-bridge/client";
import type { LogEvent } from "./event";
import { severityOf, type Severity, unknownSeverity } from "./level";

/** A record as a row. */
export interface RecordRow {
  readonly kind: "record";
  /** Counts the rows of a store; never reused. */
  readonly seq: number;
  readonly offset: number;
  /** Milliseconds since 1970, by the record itself where it says. */
  readonly time: number;
  readonly severity: Severity;
  readonly service: string;
  readonly message: string;
  /** The record as it was sent. */
  readonly data: Json;
}

/** Something that happened to the line, as a row. */
export interface EventRow {
  readonly kind: "event";
  readonly seq: number;
  readonly time: number;
  readonly event: LogEvent;
}

/** A row of the list. */
export type Row = RecordRow | EventRow;

/** Reports whether a JSON value is an object. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Makes the row of a message. A payload that is no log record is shown as its text. */
export function recordRow(seq: number, message: MessageFrame): RecordRow {
  const data = message.data ?? message.text ?? message.base64 ?? "";
  if (!isObject(data)) {
    return {
      kind: "record",
      seq,
      offset: message.offset,
      time: message.timestamp,
      severity: unknownSeverity,
      service: "",
      message: typeof data === "string" ? data : JSON.stringify(data),
      data,
    };
  }
  return {
    kind: "record",
    seq,
    offset: message.offset,
    time: timeOf(data["timestamp"]) ?? message.timestamp,
    severity: severityOf(text(data["level"])),
    service: text(data["service"]),
    message: text(data["message"]),
    data,
  };
}

/** Gives the fields that a record has beside the well-known ones. */
export function extraFields(data: Json): JsonObject {
  if (!isObject(data)) return {};
  const { fields, trace_id: traceId } = data;
  const extra = isObject(fields) ? fields : {};
  return traceId === undefined ? extra : { trace_id: traceId, ...extra };
}

function text(value: Json | undefined): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function timeOf(value: Json | undefined): number | undefined {
  if (typeof value !== "string") return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}
