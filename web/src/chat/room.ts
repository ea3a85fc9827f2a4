import type { Client, MagpieError, Start, Subscription } from "@magpie-bridge/client";
import { shallowRef, type ShallowRef } from "vue";
import { Pump } from "../logs/pump";
import { type ChatEntry, type ChatMessage, readMessage } from "./entry";
import type { TabIdentity } from "./identity";
import { introduction } from "./members";
import { type ReadMarks, Unread } from "./unread";

/** How many earlier messages are read on entry. */
export const historyMessages = 200;

/** How many entries a tab holds; the oldest go. */
export const maxEntries = 1_000;

/** ChatRoom is one conversation: what came, and what this tab has said that did not come back yet. */
export class ChatRoom {
  /** The conversation in its order; what is on its way stands last. */
  readonly entries: ShallowRef<readonly ChatEntry[]> = shallowRef([]);

  /** What was not seen on this device. */
  readonly unread: Unread;
  /** Why nothing comes. */
  readonly ended: ShallowRef<MagpieError | undefined> = shallowRef();

  readonly #client: Client;
  readonly #channel: string;
  readonly #identity: TabIdentity;
  #username: string;
  #subscription: Subscription;
  // A flood of messages is drawn once a frame.
  readonly #pump = new Pump(() => {
    this.entries.value = [...this.#received, ...this.#outbox.values()];
    this.unread.store();
    return false;
  });
  #received: ChatEntry[] = [];
  readonly #outbox = new Map<string, ChatMessage>();

  constructor(client: Client, channel: string, identity: TabIdentity, marks: ReadMarks, username = "") {
    this.#client = client;
    this.#channel = channel;
    this.#identity = identity;
    this.unread = new Unread(channel, marks);
    this.#username = username;
    this.#subscription = this.#open({ last: historyMessages });
  }

  /** Tells the others by which name one is here. The subscription goes on where it stands. */
  introduce(username: string): void {
    if (username === this.#username) return;
    this.#username = username;
    if (this.ended.value !== undefined) return;
    const { position } = this.#subscription;
    this.#subscription.close();
    this.#subscription = this.#open(position ?? { last: historyMessages });
  }

  /** Says something. */
  send(username: string, text: string): void {
    const id = this.#identity.nextId();
    this.#publish({ kind: "message", id, username, text, time: Date.now(), own: true, status: "sending" });
  }

  /** Says again what failed, under its first identifier: should it have arrived after all, it is not said twice. */
  retry(id: string): void {
    const message = this.#outbox.get(id);
    if (message?.status === "failed") this.#publish({ ...message, status: "sending" });
  }

  /** Forgets what failed. */
  discard(id: string): void {
    this.#outbox.delete(id);
    this.#pump.request();
  }

  /** Leaves the room. */
  close(): void {
    this.#subscription.close();
    this.#pump.stop();
  }

  #open(from: Start): Subscription {
    return this.#client.subscribe(this.#channel, {
      from,
      info: introduction(this.#username),
      onMessage: (frame) => {
        const message = readMessage(frame, (id) => this.#identity.owns(id));
        this.unread.pass(frame.offset);
        this.#pump.request();
        if (message === undefined) return;
        this.unread.add(message.id, frame.offset, message.own);
        this.#receive(message);
      },
      onGap: ({ fromOffset = 0, toOffset = 0, epoch, reason }) => {
        if (reason === "retention") this.unread.pass(toOffset);
        this.#receive({
          kind: "notice",
          id: `gap ${epoch} ${String(fromOffset)}`,
          time: Date.now(),
          missing: reason === "epoch" ? undefined : toOffset - fromOffset + 1,
        });
      },
      onSubscribed: ({ position, tail }) => {
        this.ended.value = undefined;
        this.unread.begin(position, tail);
        this.#pump.request();
      },
      onEnd: (error) => {
        this.ended.value = error;
      },
    });
  }

  #publish(message: ChatMessage): void {
    const { id, username, text } = message;
    this.#outbox.set(id, message);
    this.#pump.request();
    this.#client.publish(this.#channel, { messageId: id, data: { username, message: text } }).catch(() => {
      if (!this.#outbox.has(id)) return;
      this.#outbox.set(id, { ...message, status: "failed" });
      this.#pump.request();
    });
  }

  #receive(entry: ChatEntry): void {
    this.#outbox.delete(entry.id);
    this.#received.push(entry);
    if (this.#received.length > maxEntries) this.#received = this.#received.slice(-maxEntries);
    this.#pump.request();
  }
}
