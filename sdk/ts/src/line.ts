import { CloseCode, type CloseReason } from "./close.js";
import { decodeFrame, encodeFrame } from "./codec.js";
import type { CancelTimer, Clock } from "./clock.js";
import { MagpieError } from "./errors.js";
import type { ConnectedFrame, ConnectFrame, Frame } from "./frames.js";
import { defaultHeartbeat, Heartbeat, type HeartbeatTimes } from "./heartbeat.js";
import type { Socket } from "./socket.js";

const pingText = "ping";
const pongText = "pong";

/** The requestId of the connect frame; other requests count from 1. */
const connectRequestId = "0";

/** What a {@link Line} needs. */
export interface LineParams {
  readonly socket: Socket;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly heartbeat: HeartbeatTimes | undefined;
  readonly client: { readonly name: string; readonly version: string };
  readonly token: string | undefined;
  readonly device: string | undefined;
  /** Brings back the session of the line before. */
  readonly resume: ConnectFrame["resume"];
}

/** How a line ended. */
export interface LineEnd {
  readonly reason: CloseReason;
  /** How long the gateway asked to stay away. */
  readonly retryAfterMs: number | undefined;
}

/** What a {@link Line} reports. Nothing is reported after `ended`. */
export interface LineEvents {
  connected(frame: ConnectedFrame): void;
  frame(frame: Frame): void;
  /** Something came that is no frame, or that answers nothing; the line stays open. */
  fault(error: MagpieError): void;
  ended(end: LineEnd): void;
}

/** Line is one WebSocket from its opening to its end: handshake, heartbeat, frames. It does not reconnect. */
export class Line {
  readonly #params: LineParams;
  readonly #events: LineEvents;
  #state: "opening" | "connected" | "ended" = "opening";
  #heartbeat: Heartbeat | undefined;
  #cancelTimeout: CancelTimer;
  #frameBytes = Infinity;
  #retryAfterMs: number | undefined;
  #error: MagpieError | undefined;

  constructor(params: LineParams, events: LineEvents) {
    this.#params = params;
    this.#events = events;
    this.#cancelTimeout = params.clock.after(params.connectTimeoutMs, () => {
      this.#abandon("the gateway did not answer in time");
    });
    const { socket } = params;
    socket.addEventListener("open", () => {
      this.#open();
    });
    socket.addEventListener("message", (event) => {
      this.#receive(event.data);
    });
    socket.addEventListener("close", (event) => {
      this.#end({ code: event.code, reason: event.reason, local: false });
    });
    // A close event follows every error event and tells more.
    socket.addEventListener("error", () => undefined);
  }

  /** Whether the gateway has answered the connect frame and the line still lives. */
  get connected(): boolean {
    return this.#state === "connected";
  }

  /**
   * Sends a frame. A line that is not connected drops it: whoever waits for an answer hears of the end. Throws what keeps a
   * frame from being sent: it is larger than the gateway accepts, or no JSON can be made of it.
   */
  send(frame: Frame): void {
    if (this.#state !== "connected") return;
    const text = encodeFrame(frame);
    // The gateway closes a line for good that brings a larger one.
    if (!fits(text, this.#frameBytes)) {
      const message = `the ${frame.type} is larger than the ${String(this.#frameBytes)} bytes that the gateway takes`;
      throw new MagpieError("out_of_range", message);
    }
    this.#heartbeat?.sent();
    this.#params.socket.send(text);
  }

  /** Closes the line from this side. */
  close(reason: string): void {
    this.#params.socket.close(CloseCode.normal, reason);
    this.#end({ code: CloseCode.normal, reason, local: true });
  }

  #open(): void {
    if (this.#state !== "opening") return;
    const { socket, client, token, device, resume } = this.#params;
    socket.send(encodeFrame({ type: "connect", requestId: connectRequestId, token, resume, client, device }));
  }

  #receive(data: unknown): void {
    if (this.#state === "ended") return;
    this.#heartbeat?.heard();
    if (data === pongText) return;
    const frame = this.#decode(data);
    if (frame !== undefined) this.#dispatch(frame);
  }

  #decode(data: unknown): Frame | undefined {
    try {
      if (typeof data !== "string") throw new TypeError("the gateway sent bytes where text was expected");
      return decodeFrame(data);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#events.fault(new MagpieError("data_loss", `a frame could not be understood: ${message}`));
      return undefined;
    }
  }

  #dispatch(frame: Frame): void {
    switch (frame.type) {
      case "connected":
        this.#connect(frame);
        return;
      case "goodbye":
        this.#retryAfterMs = frame.retryAfterMs ?? this.#retryAfterMs;
        return;
      case "ping":
        this.send({ type: "pong", requestId: frame.requestId });
        return;
      case "pong":
        return;
      case "error":
        if (frame.requestId === undefined || frame.requestId === connectRequestId) {
          this.#fail(MagpieError.fromBody(frame.error));
          return;
        }
    }
    this.#events.frame(frame);
  }

  #connect(frame: ConnectedFrame): void {
    if (this.#state !== "opening") return;
    this.#state = "connected";
    this.#cancelTimeout();
    this.#frameBytes = frame.limits?.frameBytes ?? Infinity;
    const times = this.#params.heartbeat ?? {
      intervalMs: frame.heartbeat?.intervalMs ?? defaultHeartbeat.intervalMs,
      timeoutMs: frame.heartbeat?.timeoutMs ?? defaultHeartbeat.timeoutMs,
    };
    this.#heartbeat = new Heartbeat(this.#params.clock, times, {
      ping: () => {
        this.#heartbeat?.sent();
        this.#params.socket.send(pingText);
      },
      dead: () => {
        this.#abandon("nothing was heard from the gateway within the heartbeat timeout");
      },
    });
    this.#events.connected(frame);
  }

  // An error that answers no request of the program is about the line itself.
  #fail(error: MagpieError): void {
    this.#error = error;
    this.#retryAfterMs = error.retryAfterMs ?? this.#retryAfterMs;
    if (this.#state === "opening") {
      this.#params.socket.close(CloseCode.normal);
      const code = error.code === "unauthenticated" ? CloseCode.unauthorized : CloseCode.abnormal;
      this.#end({ code, reason: error.message, local: false });
      return;
    }
    this.#events.fault(error);
  }

  // Gives up a line that may never answer a close. The code keeps the session: a normal close would end it.
  #abandon(reason: string): void {
    this.#params.socket.close(CloseCode.idle, "timeout");
    this.#end({ code: CloseCode.abnormal, reason, local: true });
  }

  #end(reason: CloseReason): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#cancelTimeout();
    this.#heartbeat?.stop();
    this.#events.ended({
      reason: this.#error === undefined ? reason : { ...reason, error: this.#error },
      retryAfterMs: this.#retryAfterMs,
    });
  }
}

// Counts only where the number of characters does not settle it: each takes one to three bytes in UTF-8.
function fits(text: string, bytes: number): boolean {
  return text.length * 3 <= bytes || (text.length <= bytes && new TextEncoder().encode(text).length <= bytes);
}
