import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Starts the browser of this machine. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-sync",
      "--no-first-run",
      "--disable-component-update",
    ],
  });
}

/** A page of the console with what went wrong in it. */
export interface Visit {
  readonly page: Page;
  /** Uncaught errors and breaches of the content security policy. */
  readonly faults: string[];
}

/** Opens a page of the console in a session of its own. */
export async function visit(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // While the gateway is away the browser writes down each attempt to reach it.
    if (message.type() === "error" && !message.text().includes("ERR_CONNECTION")) faults.push(message.text());
  });
  await page.goto(url);
  return { page, faults };
}
