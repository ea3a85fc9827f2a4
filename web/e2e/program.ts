import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** How long a program may take to say where it is. */
const readyMs = 15_000;

/** Program is one of the examples, as a process of its own on a free port. */
export class Program {
  private constructor(
    private readonly directory: string,
    private readonly process: ChildProcess,
    /** Where its page is. */
    readonly url: string,
  ) {}

  /** Builds an example, and starts it. */
  static async start(name: string): Promise<Program> {
    const directory = await mkdtemp(join(tmpdir(), "magpie-example-"));
    const binary = join(directory, name);
    execFileSync("go", ["build", "-o", binary, `./examples/${name}`], { cwd: root, stdio: "inherit" });
    const child = spawn(binary, ["-listen", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
    return new Program(directory, child, await address(child));
  }

  /** Ends it, and removes what was built. */
  async stop(): Promise<void> {
    const exit = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exit;
    await rm(this.directory, { recursive: true });
  }
}

/** Waits until a program says where it is. */
function address(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const late = setTimeout(() => { reject(new Error(`the program does not say where it is: ${said}`)); }, readyMs);
    child.stderr?.on("data", (part: Buffer) => {
      said += part.toString();
      const [, url] = /url=(http:\S+)/.exec(said) ?? [];
      if (url === undefined) return;
      clearTimeout(late);
      resolve(url);
    });
  });
}
