import { Client, decodeFrame, type Frame, type Socket, type SocketConstructor } from "@magpie-bridge/client";

type Listener = (event: { readonly data: unknown; readonly code: number; readonly reason: string }) => void;

/** A client whose gateway is the test. */
export class FakeLine {
  readonly client: Client;
  readonly sent: Frame[] = [];
  #listeners = new Map<string, Listener>();

  constructor() {
    const begin = (): Socket => this.#begin();
    this.client = new Client({
      url: "ws://gateway/ws",
      random: () => 0,
      // Called with new, a function gives the object that it returns.
      WebSocket: function () {
        return begin();
      } as unknown as SocketConstructor,
    });
  }

  /** Accepts the session. */
  accept(): void {
    this.#emit("open", {});
    this.receive({ type: "connected", requestId: "0", sessionId: "s", nodeId: "n1", resumed: false });
  }

  /** Answers the newest subscribe. */
  subscribed(offset: number, epoch = "k1", recovered = true): void {
    const frame = this.last("subscribe");
    this.receive({
      type: "subscribed",
      requestId: frame.requestId,
      channel: frame.channel,
      position: { epoch, offset },
      tail: offset,
      recovered,
    });
  }

  receive(frame: Frame): void {
    this.#emit("message", { data: JSON.stringify(frame) });
  }

  end(code: number, reason = ""): void {
    this.#emit("close", { code, reason });
  }

  /** The newest frame of a type that the client sent. */
  last<T extends Frame["type"]>(type: T): Extract<Frame, { type: T }> {
    const found = this.sent.findLast((frame) => frame.type === type);
    if (found === undefined) throw new Error(`the client sent no ${type}`);
    return found as Extract<Frame, { type: T }>;
  }

  #begin(): Socket {
    this.#listeners = new Map();
    return {
      send: (text) => {
        const frame = text === "ping" ? undefined : decodeFrame(text);
        if (frame !== undefined) this.sent.push(frame);
      },
      close: () => undefined,
      addEventListener: (type: string, listener: Listener) => {
        this.#listeners.set(type, listener);
      },
    };
  }

  #emit(type: string, event: { data?: unknown; code?: number; reason?: string }): void {
    this.#listeners.get(type)?.({ data: event.data, code: event.code ?? 0, reason: event.reason ?? "" });
  }
}
