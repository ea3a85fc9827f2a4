import { newMessageId } from "@magpie-bridge/client";

const nameKey = "magpie.chat.name";
const tabKey = "magpie.chat.tab";

/** How many characters of a tab's identifier begin its messages' identifiers. */
const tabLength = 12;

/** Gives the name used last in this tab, or else in this browser. */
export function rememberedName(): string {
  return sessionStorage.getItem(nameKey) ?? localStorage.getItem(nameKey) ?? "";
}

/** Remembers a name: for this tab, and for tabs to come. */
export function rememberName(name: string): void {
  sessionStorage.setItem(nameKey, name);
  localStorage.setItem(nameKey, name);
}

/** Names the messages of this tab, so that it knows its own, also after a reload. */
export class TabIdentity {
  readonly #tab: string;

  constructor() {
    this.#tab = sessionStorage.getItem(tabKey) ?? newMessageId().slice(0, tabLength);
    sessionStorage.setItem(tabKey, this.#tab);
  }

  /** Makes the identifier of a new message. */
  nextId(): string {
    return `${this.#tab}.${newMessageId()}`;
  }

  /** Reports whether this tab made the identifier. */
  owns(messageId: string): boolean {
    return messageId.startsWith(`${this.#tab}.`);
  }
}
