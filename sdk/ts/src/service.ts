import type { CancelTimer, Clock } from "./clock.js";
import { MagpieError } from "./errors.js";
import type { Answer, Frame, UnservedFrame } from "./frames.js";
import type { CallHandler, IncomingCall } from "./incoming.js";
import type { RequestTable } from "./requests.js";

/** The wait before a refused registration is tried again, where the gateway names none. */
const retryMs = 1_000;

/** How a method is served. */
export interface ServeOptions {
  /** How many calls the gateway may have this client answer at a time, up to 10,000; 64 when absent. */
  readonly concurrency?: number;
  /** Hears that the gateway sends calls from now on, on each line. */
  onServed?(): void;
  /** Hears of a refusal that may pass: the client asks again. */
  onError?(error: MagpieError): void;
  /** Hears that the gateway refused or ended the registration. Absent: {@link Client.onError} hears of it. */
  onEnd?(error: MagpieError): void;
}

/** A method that this client answers. */
export interface Handling {
  readonly method: string;
  /** How many calls are in hand. */
  readonly calls: number;
  /** Takes no more calls, and waits until the handler is done with those in hand. */
  close(): Promise<void>;
}

/** What a service needs of its client. */
export interface ServiceHost {
  readonly clock: Clock;
  readonly requests: RequestTable;
  readonly connected: boolean;
  send(frame: Frame): void;
  fault(error: MagpieError): void;
  forget(service: Service): void;
}

/** Service is a method that this client serves to whoever may call it. It survives the line: each new one hears of it. */
export class Service implements Handling {
  readonly #running = new Set<Promise<void>>();
  #state: "pending" | "active" | "closing" | "ended" = "pending";
  #closed: Promise<void> | undefined;
  #ended: () => void = () => undefined;
  #cancelRetry: CancelTimer | undefined;

  /** Made by {@link Client.serve} and, without options, by {@link Client.handle}. */
  constructor(
    readonly method: string,
    private readonly handler: CallHandler,
    private readonly host: ServiceHost,
    // Without them the gateway is not told of the method: only calls to this client itself bring it.
    private readonly options?: ServeOptions,
  ) {}

  /** Whether the gateway sends calls: false while the line is away and after the end. */
  get active(): boolean {
    return this.#state === "active";
  }

  get calls(): number {
    return this.#running.size;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Tells the gateway, where the line is there. For the client. */
  start(): void {
    if (this.options === undefined || this.#state !== "pending" || !this.host.connected) return;
    const requestId = this.host.requests.open((answer) => {
      this.#answered(answer);
    });
    this.host.send({ type: "serve", requestId, method: this.method, concurrency: this.options.concurrency });
  }

  /** Notes that the line is gone. For the client. */
  suspend(): void {
    this.#cancelRetry?.();
    if (this.#state === "active") this.#state = "pending";
    else if (this.#state === "closing") this.#finish();
  }

  /** Notes that the gateway took the method away. For the client. */
  take(frame: UnservedFrame): void {
    if (this.#state !== "active") return;
    this.#state = "pending";
    const code = frame.code ?? "unknown";
    const retryable = code === "unavailable" || code === "resource_exhausted";
    this.#refused(MagpieError.fromBody({ code, message: frame.reason ?? "the registration was ended", retryable }));
  }

  /** Answers a call. It resolves when the handler is done. For the client. */
  async run(call: IncomingCall): Promise<void> {
    const running = call.run(this.handler);
    this.#running.add(running);
    await running;
    this.#running.delete(running);
  }

  #answered(answer: Answer): void {
    if (this.#state !== "pending") return;
    if (answer.type === "served") {
      this.#state = "active";
      this.options?.onServed?.();
    } else if (answer.type === "error") {
      this.#refused(MagpieError.fromBody(answer.error));
    }
  }

  #refused(error: MagpieError): void {
    if (error.retryable) {
      this.#cancelRetry = this.host.clock.after(error.retryAfterMs ?? retryMs, () => {
        this.start();
      });
      this.options?.onError?.(error);
      return;
    }
    this.#finish();
    if (this.options?.onEnd === undefined) this.host.fault(error);
    else this.options.onEnd(error);
  }

  async #close(): Promise<void> {
    await this.#unserve();
    await Promise.all(this.#running);
  }

  // Calls that the gateway sent before it heard of the end are still answered.
  #unserve(): Promise<void> {
    if (this.#state === "ended") return Promise.resolve();
    if (this.options === undefined || !this.host.connected) {
      this.#finish();
      return Promise.resolve();
    }
    this.#cancelRetry?.();
    this.#state = "closing";
    return new Promise((resolve) => {
      this.#ended = resolve;
      const requestId = this.host.requests.open(() => {
        this.#finish();
      });
      this.host.send({ type: "unserve", requestId, method: this.method });
    });
  }

  #finish(): void {
    this.#state = "ended";
    this.#cancelRetry?.();
    this.host.forget(this);
    this.#ended();
  }
}
