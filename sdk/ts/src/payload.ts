/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** What a message or a call carries: at most one of its fields is set. */
export interface Payload {
  /** A JSON value. */
  readonly data?: Json;
  /** Plain text. */
  readonly text?: string;
  /** Any bytes, in standard base64. */
  readonly base64?: string;
}

/** String-to-string entries, such as tags and meta. */
export type Pairs = Readonly<Record<string, string>>;
