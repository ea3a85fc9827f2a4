import { MagpieError } from "./errors.js";
import type { CallFrame, CancelFrame, CreditFrame, UnservedFrame } from "./frames.js";
import { type CallHandler, IncomingCall } from "./incoming.js";
import { type Handling, type ServeOptions, Service, type ServiceHost } from "./service.js";

/** Server answers the calls of peers. What it serves, it serves again on each new line. */
export class Server {
  readonly #services = new Map<string, Service>();
  // By requestId: those of the present line that somebody waits for.
  readonly #calls = new Map<string, IncomingCall>();
  readonly #host: ServiceHost;

  constructor(host: Omit<ServiceHost, "forget">) {
    this.#host = {
      clock: host.clock,
      requests: host.requests,
      get connected() {
        return host.connected;
      },
      send: (frame) => { host.send(frame); },
      fault: (error) => { host.fault(error); },
      forget: (service) => { this.#services.delete(service.method); },
    };
  }

  /** Answers the calls of a method, whoever makes them. */
  serve(method: string, handler: CallHandler, options: ServeOptions): Service {
    const service = this.#add(new Service(method, handler, this.#host, options));
    service.start();
    return service;
  }

  /** Answers the calls of a method that are meant for this client. */
  handle(method: string, handler: CallHandler): Handling {
    return this.#add(new Service(method, handler, this.#host));
  }

  /** Tells a new line what is served. */
  resume(): void {
    for (const service of this.#services.values()) service.start();
  }

  /** Notes that the line is gone, and with it who waited. */
  suspend(): void {
    const lost = new MagpieError("unavailable", "the line broke before the reply was sent", { retryable: true });
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.cancel(lost);
    for (const service of this.#services.values()) service.suspend();
  }

  /** Takes a frame about a call to this client, or about a method that it serves. */
  take(frame: CallFrame | CancelFrame | CreditFrame | UnservedFrame): void {
    switch (frame.type) {
      case "unserved":
        this.#services.get(frame.method)?.take(frame);
        return;
      case "call":
        this.#begin(frame);
        return;
    }
    const call = this.#calls.get(frame.requestId ?? "");
    if (call === undefined) return;
    if (frame.type === "credit") call.allow(frame.count);
    else call.cancel(new MagpieError("canceled", "the caller does not wait any more"));
  }

  #begin(frame: CallFrame): void {
    const { requestId = "", method } = frame;
    const service = this.#services.get(method);
    if (service === undefined) {
      const error = { code: "unimplemented", message: `this client does not know ${method}` };
      this.#host.send({ type: "error", requestId: frame.requestId, error });
      return;
    }
    const call = new IncomingCall(frame, this.#host);
    this.#calls.set(requestId, call);
    void service.run(call).then(() => {
      if (this.#calls.get(requestId) === call) this.#calls.delete(requestId);
    });
  }

  #add(service: Service): Service {
    if (this.#services.has(service.method)) {
      throw new MagpieError("already_exists", `${service.method} is answered already: close that first, and wait for it`);
    }
    this.#services.set(service.method, service);
    return service;
  }
}
