import { join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { type TestContext, testWith } from "../support/test.ts";

/** Debian's package `chromium`. */
const EXECUTABLE = "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A page and what went wrong in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors on the console, exceptions, dialogs, and requests that failed. */
  readonly problems: string[];
}

/**
 * Registers a test that uses a browser. Where there is none it is left out, saying why; in CI
 * (`CI=true`) it fails instead.
 */
export async function browserTest(
  name: string,
  body: (browser: Browser, t: TestContext) => Promise<void>,
): Promise<void> {
  const isThere = await Deno.stat(EXECUTABLE).then(() => true, () => false);
  const run = async (t: TestContext) => {
    const userDataDir = await Deno.makeTempDir({ prefix: "eddy-chromium-" });
    const browser = await puppeteer.launch({
      executablePath: EXECUTABLE,
      headless: true,
      userDataDir,
      args: ARGUMENTS,
    });
    try {
      await body(browser, t);
    } finally {
      await browser.close();
      await Deno.remove(userDataDir, { recursive: true });
    }
  };
  testWith(isThere ? [] : [EXECUTABLE], `browser: ${name}`, run, (name, fn) => {
    // Timers of the browser's connection and of libp2p outlive a test by a moment.
    Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
  });
}

/** Opens an empty page of this size whose problems are noted. */
export async function watchedPage(
  browser: Browser,
  { width = 1280, height = 900, dark = false }: {
    width?: number;
    height?: number;
    dark?: boolean;
  } = {},
): Promise<WatchedPage> {
  const page = await browser.newPage();
  const problems: string[] = [];
  await page.setViewport({ width, height, deviceScaleFactor: 1, isMobile: width < 600 });
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: dark ? "dark" : "light" },
  ]);
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("requestfailed", (request) => problems.push(`${request.url()} failed`));
  page.on("dialog", (dialog) => {
    problems.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, problems };
}

/** Takes a picture of the whole page into the directory that `EDDY_SCREENSHOTS` names, if set. */
export async function screenshot(page: Page, name: string): Promise<Uint8Array> {
  const directory = Deno.env.get("EDDY_SCREENSHOTS");
  const bytes = await page.screenshot({ fullPage: true });
  if (directory) {
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeFile(join(directory, `${name}.png`), bytes);
  }
  return bytes;
}
