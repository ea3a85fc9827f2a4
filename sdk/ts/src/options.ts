import { type Clock, systemClock } from "./clock.js";
import type { HeartbeatTimes } from "./heartbeat.js";
import type { SocketConstructor } from "./socket.js";

/** Gives the credential, freshly for each attempt, or undefined where none is needed. */
export type TokenSource = () => string | undefined | Promise<string | undefined>;

/** How a {@link Client} is made. Only the address is needed. */
export interface ClientOptions {
  /** The gateway's WebSocket address, such as `wss://gateway.example/ws`. */
  readonly url: string;
  /** The credential for the connect frame, or where to fetch it. */
  readonly token?: string | TokenSource;
  /** Which of the user's devices this is, where the credential does not say it: calls can be directed at one. */
  readonly device?: string;
  /** Names the program to the gateway. */
  readonly name?: string;
  /** The version of the program. */
  readonly version?: string;
  /** Times to use in place of those the gateway asks for. */
  readonly heartbeat?: HeartbeatTimes;
  /** How long an attempt may take until the gateway answered the connect frame. Default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** How long a publish waits for its answer, over all retries. Default: 60 s. */
  readonly publishTimeoutMs?: number;
  /** How long a call waits for its reply. Default: 30 s. */
  readonly callTimeoutMs?: number;
  /** The WebSocket class, where the platform has none. */
  readonly WebSocket?: SocketConstructor;
  /** The clock. Tests put their own in its place. */
  readonly clock?: Clock;
  /** Random numbers from 0 to below 1. Tests put their own in its place. */
  readonly random?: () => number;
}

/** Options with every default filled in. */
export interface ResolvedOptions {
  readonly url: string;
  readonly token: TokenSource;
  readonly device: string | undefined;
  readonly name: string;
  readonly version: string;
  readonly heartbeat: HeartbeatTimes | undefined;
  readonly connectTimeoutMs: number;
  readonly publishTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly WebSocket: SocketConstructor;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Fills in the defaults. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const { token } = options;
  if (!/^wss?:$/.test(new URL(options.url).protocol)) {
    throw new TypeError(`${options.url} is not the address of a WebSocket: it has to begin with ws:// or wss://`);
  }
  return {
    url: options.url,
    token: typeof token === "function" ? token : () => token,
    device: options.device,
    name: options.name ?? "magpie-js",
    version: options.version ?? "0.1.0",
    heartbeat: options.heartbeat,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    publishTimeoutMs: options.publishTimeoutMs ?? 60_000,
    callTimeoutMs: options.callTimeoutMs ?? 30_000,
    WebSocket: options.WebSocket ?? platformSocket(),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

function platformSocket(): SocketConstructor {
  // Node.js has a WebSocket of its own only since version 22.
  const platform: { readonly WebSocket?: SocketConstructor } = globalThis;
  if (platform.WebSocket === undefined) {
    throw new TypeError("this platform has no WebSocket: pass one in the option WebSocket, such as that of the package ws");
  }
  return platform.WebSocket;
}
