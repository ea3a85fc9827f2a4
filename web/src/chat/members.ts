import { type Client, type Json, type JsonObject, MagpieError, type Member, membersChannel, type Subscription } from "@magpie-bridge/client";
import { shallowRef, type ShallowRef } from "vue";
import { isObject } from "../logs/record";

/** How many members are read; of more only the number is kept right. */
export const pageMembers = 100;

/** How long the page waits before it reads the members again where single changes do not tell enough. */
export const againMs = 2_000;

/** Somebody in a room, on any number of tabs and devices. */
export interface Person {
  readonly userId: string;
  /** What the person wants to be called; the user where nothing was said. */
  readonly name: string;
  readonly sessions: number;
}

/** Who is in a room. */
export interface Attendance {
  /** How many sessions. */
  readonly count: number;
  readonly people: readonly Person[];
  /** How many sessions have no place in the list. */
  readonly more: number;
}

/** Members follows who is in a room. There is nothing to see where the gateway does not tell. */
export class Members {
  readonly view: ShallowRef<Attendance | undefined> = shallowRef();

  readonly #sessions = new Map<string, Member>();
  #count = 0;
  #complete = false;
  #subscription: Subscription | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    private readonly client: Client,
    private readonly channel: string,
  ) {
    void this.#read();
  }

  /** Ends it. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#subscription?.close();
  }

  async #read(): Promise<void> {
    try {
      const { members, count, next, position } = await this.client.presence(this.channel, { limit: pageMembers });
      if (this.#closed) return;
      this.#sessions.clear();
      for (const member of members) this.#sessions.set(member.sessionId, member);
      this.#count = count;
      this.#complete = next === undefined;
      this.#show();
      this.#subscription ??= this.client.subscribe(membersChannel(this.channel), {
        from: position,
        onMessage: ({ data }) => {
          this.#take(data);
        },
        onGap: () => {
          this.#readAgain();
        },
        onEnd: () => {
          this.view.value = undefined;
        },
      });
    } catch (error) {
      if (error instanceof MagpieError && error.retryable) this.#readAgain();
      else this.view.value = undefined;
    }
  }

  #readAgain(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#read();
    }, againMs);
  }

  // Changes that the page knew already are applied again: what comes last is right.
  #take(data: Json | undefined): void {
    if (!isObject(data)) return;
    const { event, sessionId, userId } = data;
    if (!this.#complete || (event !== "join" && event !== "leave")) {
      if (typeof data["count"] === "number") this.#count = data["count"];
      this.#show();
      this.#readAgain();
      return;
    }
    if (typeof sessionId !== "string" || typeof userId !== "string") return;
    if (event === "join") this.#sessions.set(sessionId, { userId, sessionId, info: data["info"] });
    else this.#sessions.delete(sessionId);
    this.#count = this.#sessions.size;
    this.#show();
  }

  #show(): void {
    const people = peopleOf([...this.#sessions.values()].slice(0, pageMembers));
    const more = Math.max(0, this.#count - Math.min(this.#sessions.size, pageMembers));
    this.view.value = { count: this.#count, people, more };
  }
}

/** Puts the sessions of one person together; those by the same name stand beside each other. */
export function peopleOf(members: readonly Member[]): Person[] {
  const people = new Map<string, Person>();
  for (const { userId, info } of members) {
    const name = nameOf(info) ?? userId;
    const key = JSON.stringify([userId, name]);
    people.set(key, { userId, name, sessions: (people.get(key)?.sessions ?? 0) + 1 });
  }
  return [...people.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** How much of a name is shown. */
const maxName = 40;

/** What somebody says of himself to the members of a room. */
export function introduction(name: string): JsonObject | undefined {
  return name.trim() === "" ? undefined : { name: name.trim().slice(0, maxName) };
}

function nameOf(info: Json | undefined): string | undefined {
  const name = isObject(info) ? info["name"] : undefined;
  return typeof name === "string" && name.trim() !== "" ? name.slice(0, maxName) : undefined;
}
