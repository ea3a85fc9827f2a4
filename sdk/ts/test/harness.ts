import { afterEach, beforeEach, vi } from "vitest";
import { Client, type ClientOptions, type ConnectionState } from "../src/index.js";
import { FakeGateway, type FakeSocket } from "./fakeGateway.js";

/** What a test of the client works with. */
export interface Harness {
  readonly gateway: FakeGateway;
  readonly client: Client;
  readonly states: ConnectionState[];
}

/** Stops the clock for the tests of a file. */
export function useFakeClock(): void {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Makes a client at rest, with the shortest waits. */
export function harness(options: Partial<ClientOptions> = {}): Harness {
  const gateway = new FakeGateway();
  const client = new Client({ url: "ws://gateway/ws", WebSocket: gateway.WebSocket, random: () => 0, ...options });
  const states: ConnectionState[] = [];
  client.onState((state) => states.push(state));
  return { gateway, client, states };
}

/** Lets promises settle. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** Opens the client's line. */
export async function connect({ client, gateway }: Harness, resumeToken?: string): Promise<FakeSocket> {
  client.connect();
  await settle();
  return gateway.accept(resumeToken);
}

/** Breaks the line, waits for the next attempt, and accepts it. */
export async function reconnect({ gateway }: Harness, code = 1006): Promise<FakeSocket> {
  gateway.socket.end(code);
  await vi.advanceTimersByTimeAsync(1_000);
  return gateway.accept();
}
