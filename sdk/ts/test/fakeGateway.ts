import type { Frame, Socket } from "../src/index.js";
import { decodeFrame } from "../src/index.js";

type Listener = (event: { readonly data: unknown; readonly code: number; readonly reason: string }) => void;

/** FakeSocket is a socket whose other end is the test. */
export class FakeSocket implements Socket {
  readonly sent: string[] = [];
  readonly closedWith: (number | undefined)[] = [];
  readonly #listeners = new Map<string, Listener[]>();

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(code?: number): void {
    this.closedWith.push(code);
  }

  /** The frames that the client sent. */
  get frames(): Frame[] {
    return this.sent.flatMap((text) => (text === "ping" ? [] : [decodeFrame(text) as Frame]));
  }

  /** The frames of a type that the client sent. */
  all<T extends Frame["type"]>(type: T): Extract<Frame, { type: T }>[] {
    return this.frames.filter((frame) => frame.type === type) as Extract<Frame, { type: T }>[];
  }

  /** The newest frame of a type; fails when there is none. */
  last<T extends Frame["type"]>(type: T): Extract<Frame, { type: T }> {
    const found = this.all(type).at(-1);
    if (found === undefined) throw new Error(`the client sent no ${type}`);
    return found;
  }

  /** Opens the socket. */
  open(): void {
    this.#emit("open", {});
  }

  /** Says something to the client. */
  receive(frame: Frame | string): void {
    this.#emit("message", { data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  /** Ends the socket from the gateway's side. */
  end(code = 1006, reason = ""): void {
    this.#emit("close", { code, reason });
  }

  #emit(type: string, event: { data?: unknown; code?: number; reason?: string }): void {
    for (const listener of this.#listeners.get(type) ?? []) {
      listener({ data: event.data, code: event.code ?? 0, reason: event.reason ?? "" });
    }
  }
}

/** FakeGateway hands out sockets and remembers them. */
export class FakeGateway {
  readonly sockets: FakeSocket[] = [];
  readonly WebSocket: new (url: string, protocols: string[]) => FakeSocket;

  constructor() {
    const { sockets } = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    };
  }

  /** The newest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("the client opened no socket");
    return socket;
  }

  /** Accepts the newest socket's session: one that can be resumed, where there is a token, or one that was. */
  accept(resumeToken?: string, resumed = false): FakeSocket {
    const { socket } = this;
    socket.open();
    const { requestId } = socket.last("connect");
    socket.receive({
      type: "connected",
      requestId,
      sessionId: `s${String(this.sockets.length)}`,
      resumeToken,
      resumed,
      heartbeat: { intervalMs: 30_000, timeoutMs: 90_000 },
    });
    return socket;
  }
}
