/** What the gateway tells its console. */
export interface ConsoleConfig {
  readonly version: string;
  readonly nodeId: string;
  readonly development: boolean;
  readonly logChannels: readonly string[];
  readonly chatChannels: readonly string[];
}

const defaults: ConsoleConfig = {
  version: "",
  nodeId: "",
  development: false,
  logChannels: ["logs.local"],
  chatChannels: ["chat.lobby"],
};

/** Fetches the configuration; a gateway that does not serve it is taken to have the usual channels. */
export async function fetchConfig(): Promise<ConsoleConfig> {
  try {
    const response = await fetch("./console.json", { headers: { accept: "application/json" } });
    if (!response.ok) return defaults;
    return { ...defaults, ...((await response.json()) as Partial<ConsoleConfig>) };
  } catch {
    return defaults;
  }
}
