import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const binary = process.env["MAGPIE_BIN"] ?? join(root, "bin", "magpie");

/** How long a gateway may take to become ready. */
const readyMs = 15_000;

/** Gateway is a real gateway that follows one log file. */
export class Gateway {
  #process: ChildProcess | undefined;

  private constructor(
    readonly directory: string,
    readonly port: number,
    private readonly secret: string | undefined,
    private readonly config: string | undefined,
  ) {}

  /** Builds the binary where it is missing, and starts it on a free port; with a secret, tokens are asked for. config is its configuration in YAML. */
  static async start(secret?: string, config?: string): Promise<Gateway> {
    if (!existsSync(binary)) execFileSync("go", ["build", "-o", binary, "./cmd/magpie"], { cwd: root, stdio: "inherit" });
    const gateway = new Gateway(await mkdtemp(join(tmpdir(), "magpie-e2e-")), await freePort(), secret, config);
    await writeFile(gateway.logFile, "");
    await gateway.run();
    return gateway;
  }

  /** Where the console is. */
  get url(): string {
    return `http://127.0.0.1:${String(this.port)}/`;
  }

  /** The file that it follows. */
  get logFile(): string {
    return join(this.directory, "app.log");
  }

  /** Runs the process, the first time or after {@link kill}. */
  async run(): Promise<void> {
    const listen = `127.0.0.1:${String(this.port)}`;
    const mode = this.secret === undefined ? ["--dev"] : [];
    const file = join(this.directory, "config.yaml");
    if (this.config !== undefined) {
      await writeFile(file, this.config);
      mode.push("--config", file);
    }
    this.#process = spawn(binary, ["serve", ...mode, "--listen", listen, "--logs", this.logFile], {
      stdio: "ignore",
      env: this.#environment,
    });
    const deadline = Date.now() + readyMs;
    while (!(await this.#ready())) {
      if (Date.now() > deadline) throw new Error(`the gateway is not ready on ${listen}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends the process without a word. */
  async kill(): Promise<void> {
    const running = this.#process;
    if (running === undefined) return;
    const exit = once(running, "exit");
    running.kill("SIGKILL");
    await exit;
    this.#process = undefined;
  }

  /** Ends the process and removes its files. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true });
  }

  /** Writes lines into the log file. */
  async log(...lines: readonly (string | object)[]): Promise<void> {
    const text = lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
    await appendFile(this.logFile, text);
  }

  /** Makes a token with which one may read logs. */
  token(): string {
    const args = ["token", "--user", "ann", "--subscribe", "logs.>", "--subscribe", "chat.>"];
    return execFileSync(binary, args, { env: this.#environment, encoding: "utf8" }).trim();
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...process.env, MAGPIE_NODE_ID: "n1", MAGPIE_AUTH_JWT_SECRET: this.secret };
  }

  async #ready(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}readyz`)).ok;
    } catch {
      return false;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
