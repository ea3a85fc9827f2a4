/** Everything the console says. Numbers come in already written for the language. */
export interface Text {
  readonly title: { readonly logs: string; readonly channels: string; readonly chat: string };
  readonly language: { readonly name: string; readonly change: string };
  readonly theme: { readonly toDark: string; readonly toLight: string };
  readonly state: StateText;
  readonly token: {
    readonly wanted: string;
    readonly refused: string;
    readonly label: string;
    readonly submit: string;
    readonly kept: string;
  };
  readonly logs: LogsText;
  readonly event: EventText;
  readonly channels: ChannelsText;
  readonly chat: ChatText;
}

/** What is said about the line. */
export interface StateText {
  readonly idle: string;
  readonly connecting: string;
  readonly connected: (node: string) => string;
  readonly waiting: string;
  readonly closed: string;
  readonly nextAttempt: (seconds: string) => string;
  readonly attempting: string;
  readonly now: string;
  readonly connect: string;
  readonly why: (code: string, reason: string) => string;
  readonly unreachable: string;
}

/** What the logs page says. */
export interface LogsText {
  readonly channel: string;
  readonly filter: string;
  readonly filterHint: string;
  readonly filterHintShort: string;
  readonly clearFilter: string;
  readonly service: string;
  readonly allServices: string;
  readonly minimumLevel: string;
  readonly allLevels: string;
  readonly following: string;
  readonly paused: string;
  readonly pause: string;
  readonly newRows: (count: string) => string;
  readonly toEnd: string;
  readonly clearHint: string;
  readonly list: string;
  readonly empty: string;
  readonly noMatch: string;
  readonly offline: string;
  readonly showAll: string;
  readonly held: (held: string, capacity: string) => string;
  readonly shown: (count: string) => string;
  readonly dropped: (count: string) => string;
  readonly perSecond: (rate: string) => string;
  readonly rateLabel: string;
  readonly duplicates: (count: string) => string;
  readonly position: (offset: string) => string;
  readonly keys: string;
  readonly record: string;
  readonly close: string;
  readonly copy: string;
  readonly copied: string;
  readonly copyFailed: string;
  readonly previous: string;
  readonly next: string;
  readonly fields: string;
  readonly json: string;
  readonly noFields: string;
  readonly filterBy: (field: string) => string;
}

/** What is said about events among the records. */
export interface EventText {
  readonly subscribed: (channel: string, node: string) => string;
  readonly lost: (why: string) => string;
  readonly restored: (seconds: string, offset: string) => string;
  readonly closed: (why: string) => string;
  readonly gap: (count: string, from: string, to: string, why: string) => string;
  readonly renumbered: string;
  readonly ended: (why: string) => string;
  readonly fault: (why: string) => string;
  /** By the reason that the gateway gives. */
  readonly reason: Readonly<Record<string, string>>;
}

/** What the channels page says. */
export interface ChannelsText {
  readonly pattern: string;
  readonly patternHint: string;
  readonly open: string;
  readonly column: {
    readonly channel: string;
    readonly rate: string;
    readonly subscribers: string;
    readonly tail: string;
    readonly bytes: string;
  };
  readonly subscribers: (count: string) => string;
  readonly range: (head: string, tail: string) => string;
  readonly order: string;
  readonly total: (count: string) => string;
  readonly firstOf: (count: string, total: string) => string;
  readonly none: string;
  readonly noneMatches: string;
  readonly loading: string;
  readonly rightMissing: (right: string) => string;
  readonly stillWorks: string;
  readonly unavailable: (why: string) => string;
  readonly close: string;
  readonly filter: string;
  readonly filterHint: string;
  readonly apply: string;
  readonly filterMissing: string;
  readonly refused: (code: string, why: string) => string;
  readonly mayNotRead: string;
  readonly opening: string;
  readonly quiet: string;
  readonly live: string;
  readonly pause: string;
  readonly paused: (count: string) => string;
  readonly messages: string;
  readonly gap: (from: string, to: string, why: string) => string;
  readonly message: (offset: string) => string;
  readonly back: string;
  readonly field: {
    readonly offset: string;
    readonly time: string;
    readonly publisher: string;
    readonly key: string;
    readonly tags: string;
    readonly messageId: string;
    readonly meta: string;
    readonly payload: string;
  };
  readonly publish: string;
  readonly kind: string;
  readonly data: string;
  readonly text: string;
  readonly payloadHint: string;
  readonly keyHint: string;
  readonly tagsHint: string;
  readonly send: string;
  readonly sending: string;
  readonly sent: (offset: string, epoch: string) => string;
  readonly duplicate: string;
  readonly fault: { readonly json: string; readonly tags: string };
}

/** What the chat page says. */
export interface ChatText {
  readonly room: string;
  readonly rooms: string;
  readonly joinHint: string;
  readonly join: string;
  readonly leave: (room: string) => string;
  readonly badName: string;
  readonly tooMany: (count: string) => string;
  readonly unread: (count: string) => string;
  readonly newFrom: string;
  readonly typing: (names: string) => string;
  readonly nameSeparator: string;
  readonly refused: (why: string) => string;
  readonly members: (count: string) => string;
  readonly membersList: string;
  readonly moreMembers: (count: string) => string;
  readonly name: string;
  readonly namePlaceholder: string;
  readonly message: string;
  readonly messagePlaceholder: string;
  readonly send: string;
  readonly you: string;
  readonly empty: string;
  readonly emptyHint: string;
  readonly sending: string;
  readonly waiting: string;
  readonly failed: string;
  readonly retry: string;
  readonly discard: string;
  readonly nameFirst: string;
  readonly gap: (count: string) => string;
  readonly renumbered: string;
  readonly today: string;
  readonly yesterday: string;
  readonly newer: string;
}
