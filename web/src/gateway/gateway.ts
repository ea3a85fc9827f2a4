import { Client, CloseCode, type ConnectionState } from "@magpie-bridge/client";
import { computed, type ComputedRef, inject, type InjectionKey, shallowRef, type ShallowRef } from "vue";
import type { ConsoleConfig } from "./config";
import { storedToken, storeToken } from "./credential";

/** The line of this tab, shared by all pages. */
export interface Gateway {
  readonly client: Client;
  readonly config: ConsoleConfig;
  readonly state: Readonly<ShallowRef<ConnectionState>>;
  /** Whether the gateway refused to serve without a (better) credential. */
  readonly wantsToken: ComputedRef<boolean>;
  /** Tries again with this credential. */
  signIn(token: string): void;
  /** Opens a line beside the shared one, for what has one place a line: a channel is subscribed once. */
  openLine(): Client;
}

function createClient({ version }: ConsoleConfig): Client {
  return new Client({
    url: `${location.origin.replace(/^http/, "ws")}/ws`,
    token: storedToken,
    name: "magpie-console",
    version,
    // The gateway's own times are made for devices; someone who watches a page wants to know sooner.
    heartbeat: { intervalMs: 10_000, timeoutMs: 30_000 },
  });
}

/** Opens the line. */
export function createGateway(config: ConsoleConfig): Gateway {
  const client = createClient(config);
  const state = shallowRef<ConnectionState>(client.state);
  client.onState((next) => {
    state.value = next;
  });
  window.addEventListener("online", () => {
    if (client.state.kind === "waiting") client.connect();
  });
  client.connect();
  return {
    client,
    config,
    state,
    wantsToken: computed(
      () =>
        state.value.kind === "closed" &&
        (state.value.reason.code === CloseCode.unauthorized || state.value.reason.error?.code === "unauthenticated"),
    ),
    signIn(token) {
      storeToken(token);
      client.connect();
    },
    openLine() {
      const line = createClient(config);
      line.connect();
      return line;
    },
  };
}

/** Where components find the gateway. */
export const gatewayKey: InjectionKey<Gateway> = Symbol("gateway");

/** Gives a component the gateway of this tab. */
export function useGateway(): Gateway {
  const gateway = inject(gatewayKey);
  if (gateway === undefined) throw new Error("the gateway is not provided");
  return gateway;
}
