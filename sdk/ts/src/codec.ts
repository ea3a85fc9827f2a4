import { Fields, FormatError, isObject } from "./fields.js";
import type { AnswerBody, CallerBody, ErrorBody, Frame, HistoryMessage, Member, Publication, PublishResultBody } from "./frames.js";
import type { Json, Payload } from "./payload.js";
import type { Position, Start } from "./position.js";

/** Writes a frame as JSON. Fields that are undefined are left out. */
export function encodeFrame(frame: Frame): string {
  return JSON.stringify(frame);
}

/**
 * Reads a frame. Fields that this client does not know are dropped; a frame of an unknown type is undefined, for
 * clients ignore those. Throws a {@link FormatError} for a text that is no frame.
 */
export function decodeFrame(text: string): Frame | undefined {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw new FormatError("the text is not JSON");
  }
  if (!isObject(value)) throw new FormatError("the text is not a JSON object");
  const fields = new Fields(value, "frame");
  const type = fields.text("type");
  const requestId = fields.string("requestId");
  return Object.hasOwn(readers, type) ? readers[type]?.(fields, requestId) : undefined;
}

// Each reader builds its frame with the fields in canonical order, so that writing it again gives the same text.
type Reader = (fields: Fields, requestId: string | undefined) => Frame;

const readers: Readonly<Record<string, Reader | undefined>> = {
  connect: (f, requestId) => ({
    type: "connect",
    requestId,
    // An empty token is none.
    token: f.string("token") || undefined,
    resume: readResume(f.fields("resume")),
    client: readClient(f.fields("client")),
    device: f.string("device"),
  }),
  connected: (f, requestId) => ({
    type: "connected",
    requestId,
    sessionId: f.text("sessionId"),
    resumeToken: f.string("resumeToken"),
    userId: f.string("userId"),
    nodeId: f.string("nodeId"),
    resumed: f.boolean("resumed") ?? false,
    serverTime: f.integer("serverTime"),
    expiresAt: f.integer("expiresAt"),
    heartbeat: readHeartbeat(f.fields("heartbeat")),
    limits: readLimits(f.fields("limits")),
  }),
  subscribe: (f, requestId) => ({
    type: "subscribe",
    requestId,
    channel: f.text("channel"),
    from: readStart(f.fields("from")),
    filter: f.string("filter"),
    excludeSelf: f.boolean("excludeSelf"),
    conflate: f.boolean("conflate"),
    positions: readPositions(f),
    info: f.json("info") ?? undefined,
  }),
  subscribed: (f, requestId) => ({
    type: "subscribed",
    requestId,
    channel: f.text("channel"),
    position: readPosition(f.required("position")),
    tail: f.count("tail"),
    recovered: f.boolean("recovered") ?? false,
    pattern: f.string("pattern"),
  }),
  unsubscribe: (f, requestId) => ({ type: "unsubscribe", requestId, channel: f.text("channel") }),
  unsubscribed: (f, requestId) => ({
    type: "unsubscribed",
    requestId,
    channel: f.text("channel"),
    code: f.string("code"),
    reason: f.string("reason"),
  }),
  publish: (f, requestId) => ({
    type: "publish",
    requestId,
    channel: f.text("channel"),
    ...readPublication(f),
    messages: f.list("messages")?.map(readPublication),
  }),
  published: (f, requestId) => ({
    type: "published",
    requestId,
    ...readPublishResult(f),
    results: f.list("results")?.map(readPublishResult),
  }),
  message: (f) => ({ type: "message", channel: f.text("channel"), ...readMessage(f) }),
  position: (f) => ({
    type: "position",
    channel: f.text("channel"),
    position: readPosition(f.required("position")),
  }),
  gap: (f) => ({ type: "gap", channel: f.text("channel"), ...readGap(f) }),
  history: (f, requestId) => ({
    type: "history",
    requestId,
    channel: f.text("channel"),
    from: readStart(f.fields("from")),
    // What stands for the default is left out.
    limit: f.integer("limit") || undefined,
    reverse: f.boolean("reverse") || undefined,
  }),
  page: (f, requestId) => ({
    type: "page",
    requestId,
    channel: f.text("channel"),
    epoch: f.text("epoch"),
    head: f.count("head"),
    tail: f.count("tail"),
    gap: optional(f.fields("gap"), readGap),
    messages: f.list("messages")?.map(readMessage) ?? [],
    next: optional(f.fields("next"), readPosition),
  }),
  presence: (f, requestId) => ({
    type: "presence",
    requestId,
    channel: f.text("channel"),
    limit: f.integer("limit") || undefined,
    after: f.string("after") || undefined,
  }),
  members: (f, requestId) => ({
    type: "members",
    requestId,
    channel: f.text("channel"),
    position: readPosition(f.required("position")),
    count: f.count("count"),
    members: f.list("members")?.map(readMember) ?? [],
    next: f.string("next"),
  }),
  call: (f, requestId) => ({
    type: "call",
    requestId,
    method: f.text("method"),
    to: f.string("to"),
    timeoutMs: f.integer("timeoutMs"),
    meta: f.pairs("meta"),
    caller: readCaller(f.fields("caller")),
    device: f.string("device"),
    answers: f.string("answers"),
    ...readPayload(f),
  }),
  reply: (f, requestId) => ({
    type: "reply",
    requestId,
    meta: f.pairs("meta"),
    asked: f.integer("asked"),
    answers: f.list("answers")?.map(readAnswer),
    ...readPayload(f),
  }),
  progress: (f, requestId) => ({ type: "progress", requestId, ...readPayload(f) }),
  credit: (f, requestId) => ({ type: "credit", requestId, count: f.count("count") }),
  cancel: (_, requestId) => ({ type: "cancel", requestId }),
  serve: (f, requestId) => ({
    type: "serve",
    requestId,
    method: f.text("method"),
    // What stands for the default is left out.
    concurrency: f.integer("concurrency") || undefined,
  }),
  served: (f, requestId) => ({ type: "served", requestId, method: f.text("method") }),
  unserve: (f, requestId) => ({ type: "unserve", requestId, method: f.text("method") }),
  unserved: (f, requestId) => ({
    type: "unserved",
    requestId,
    method: f.text("method"),
    code: f.string("code"),
    reason: f.string("reason"),
  }),
  error: (f, requestId) => ({ type: "error", requestId, error: readError(f.required("error")) }),
  ping: (_, requestId) => ({ type: "ping", requestId }),
  pong: (_, requestId) => ({ type: "pong", requestId }),
  goodbye: (f) => ({
    type: "goodbye",
    code: f.count("code"),
    reason: f.string("reason"),
    retryAfterMs: f.integer("retryAfterMs"),
  }),
};

function readPosition(f: Fields): Position {
  return { epoch: f.text("epoch"), offset: f.count("offset") };
}

function readMessage(f: Fields): HistoryMessage {
  return {
    offset: f.count("offset"),
    prev: f.integer("prev"),
    messageId: f.string("messageId"),
    key: f.string("key"),
    publisher: f.string("publisher"),
    timestamp: f.count("timestamp"),
    tags: f.pairs("tags"),
    meta: f.pairs("meta"),
    ...readPayload(f),
  };
}

function readMember(f: Fields): Member {
  return {
    userId: f.text("userId"),
    sessionId: f.text("sessionId"),
    device: f.string("device"),
    nodeId: f.string("nodeId"),
    since: f.integer("since"),
    info: f.json("info") ?? undefined,
  };
}

function readGap(f: Fields) {
  return {
    epoch: f.text("epoch"),
    fromOffset: f.integer("fromOffset"),
    toOffset: f.integer("toOffset"),
    reason: f.text("reason"),
  };
}

function optional<T>(f: Fields | undefined, read: (f: Fields) => T): T | undefined {
  return f && read(f);
}

function readStart(f: Fields | undefined): Start | undefined {
  if (f === undefined) return undefined;
  const last = f.integer("last");
  if (last !== undefined) return { last };
  const time = f.integer("time");
  if (time !== undefined) return { time };
  const epoch = f.string("epoch");
  const offset = f.count("offset");
  return epoch === undefined ? { offset } : { epoch, offset };
}

function readResume(f: Fields | undefined) {
  return f && {
    token: f.string("token"),
    positions: readPositions(f),
  };
}

function readPositions(f: Fields) {
  return f.map("positions", (positions, channel) => readPosition(positions.required(channel)));
}

function readClient(f: Fields | undefined) {
  return f && { name: f.string("name"), version: f.string("version") };
}

function readHeartbeat(f: Fields | undefined) {
  return f && { intervalMs: f.integer("intervalMs"), timeoutMs: f.integer("timeoutMs") };
}

function readLimits(f: Fields | undefined) {
  return f && { frameBytes: f.integer("frameBytes"), subscriptions: f.integer("subscriptions") };
}

function readCaller(f: Fields | undefined): CallerBody | undefined {
  return f && { userId: f.string("userId"), sessionId: f.string("sessionId") };
}

function readAnswer(f: Fields): AnswerBody {
  return {
    userId: f.string("userId"),
    sessionId: f.string("sessionId"),
    device: f.string("device"),
    error: optional(f.fields("error"), readError),
    ...readPayload(f),
  };
}

function readPayload(f: Fields): Payload {
  return { data: f.json("data"), text: f.string("text"), base64: f.string("base64") };
}

function readPublication(f: Fields): Publication {
  return {
    messageId: f.string("messageId"),
    key: f.string("key"),
    tags: f.pairs("tags"),
    meta: f.pairs("meta"),
    ...readPayload(f),
  };
}

function readPublishResult(f: Fields): PublishResultBody {
  const position = f.fields("position");
  const error = f.fields("error");
  return {
    position: position && readPosition(position),
    duplicate: f.boolean("duplicate") ?? (position && false),
    error: error && readError(error),
  };
}

function readError(f: Fields): ErrorBody {
  return {
    code: f.text("code"),
    message: f.text("message"),
    retryable: f.boolean("retryable"),
    retryAfterMs: f.integer("retryAfterMs"),
    details: f.json("details"),
  };
}
