import type { MessageFrame } from "@magpie-bridge/client";
import { isObject } from "../logs/record";

/** How far a message of this tab came. */
export type SendStatus = "sent" | "sending" | "failed";

/** Something that somebody said. */
export interface ChatMessage {
  readonly kind: "message";
  readonly id: string;
  readonly username: string;
  readonly text: string;
  /** Milliseconds since 1970, by the gateway's clock. */
  readonly time: number;
  /** Whether this tab said it. */
  readonly own: boolean;
  readonly status: SendStatus;
}

/** Something that happened to the conversation. */
export interface ChatNotice {
  readonly kind: "notice";
  readonly id: string;
  readonly time: number;
  /** How many messages are missing; undefined when the gateway began a new history. */
  readonly missing: number | undefined;
}

/** A part of the conversation. */
export type ChatEntry = ChatMessage | ChatNotice;

/** Reads a chat message; undefined for what is none. */
export function readMessage(frame: MessageFrame, own: (messageId: string) => boolean): ChatMessage | undefined {
  const { data, messageId = "", offset, timestamp } = frame;
  if (!isObject(data)) return undefined;
  const { username, message } = data;
  if (typeof message !== "string") return undefined;
  return {
    kind: "message",
    id: messageId === "" ? `#${String(offset)}` : messageId,
    username: typeof username === "string" ? username : "",
    text: message,
    time: timestamp,
    own: own(messageId),
    status: "sent",
  };
}
