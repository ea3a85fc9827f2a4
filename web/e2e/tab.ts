import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { fileURLToPath } from "node:url";
import type { Client, Service } from "@magpie-bridge/client";
import { visit } from "./browser";
import type { Gateway } from "./gateway";

declare global {
  /** The client's package, in a tab. */
  var Magpie: typeof import("@magpie-bridge/client");
  /** The client of a tab. */
  var client: Client;
  /** What it serves. */
  var service: Service;
  /** What its handlers and listeners have seen. */
  var seen: unknown[];
}

let script: Promise<string> | undefined;

/** Opens an empty page of the gateway with a client in it that is on its way to the gateway. */
export async function tab(browser: Browser, gateway: Gateway): Promise<Page> {
  script ??= bundle();
  // The console's policy, which the page has too, allows no script from anywhere else.
  const { page } = await visit(browser, `${gateway.url}readyz`, { bypassCSP: true });
  await page.addScriptTag({ content: await script });
  await page.evaluate(() => {
    globalThis.seen = [];
    globalThis.client = new Magpie.Client({ url: `ws://${location.host}/ws` });
    client.connect();
  });
  return page;
}

/** Tells the name of the tab's session, once it has one. */
export function sessionOf(page: Page): Promise<string> {
  return page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        const look = (): void => {
          if (client.state.kind === "connected") resolve(client.state.session.sessionId);
        };
        client.onState(look);
        look();
      }),
  );
}

/** Makes one script of the client's source. */
async function bundle(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "warn",
    build: {
      write: false,
      minify: false,
      lib: { entry: fileURLToPath(new URL("../../sdk/ts/src/index.ts", import.meta.url)), name: "Magpie", formats: ["iife"] },
    },
  });
  const [output] = Array.isArray(built) ? built : [built];
  if (output === undefined || !("output" in output)) throw new Error("the client was not built");
  return output.output[0].code;
}
