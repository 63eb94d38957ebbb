import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DevTools } from "./dev-tools.ts";
import { poll } from "./poll.ts";

/** Where Debian's package `chromium` puts it; QUORATE_CHROMIUM names another. */
const PROGRAM = process.env["QUORATE_CHROMIUM"] ?? "/usr/bin/chromium";

/** Without a window, a sandbox (which root may not have) and conversations with its maker. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--remote-debugging-port=0",
  // Timers of a page in the background are slowed down to one a minute after a second instead of five minutes.
  "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1",
];

const START_MS = 60_000;

/** Whether there is a browser to test with. */
export function isChromiumInstalled(): boolean {
  return existsSync(PROGRAM);
}

/** A browser of its own, with an empty profile. */
export class Chromium {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #exited: Promise<void>;
  readonly #kill: () => void;
  readonly #pages: DevTools[] = [];
  #output = "";

  private constructor() {
    const root = process.env["QUORATE_TEST_DIR"] ?? tmpdir();
    this.#profile = mkdtempSync(join(root, "quorate-chromium-"));
    this.#child = spawn(PROGRAM, [...FLAGS, `--user-data-dir=${this.#profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "pipe"],
      // A group of its own, so that all of its processes end with it.
      detached: true,
    });
    this.#child.stderr?.setEncoding("utf8");
    this.#child.stderr?.on("data", (text: string) => (this.#output += text));
    this.#exited = new Promise((resolve) => {
      this.#child.once("error", () => resolve());
      this.#child.once("exit", () => resolve());
    });
    this.#kill = () => killGroup(this.#child);
    process.once("exit", this.#kill);
  }

  static async launch(): Promise<Chromium> {
    const chromium = new Chromium();
    await chromium.#endpoint();
    return chromium;
  }

  /** Opens a page in a tab of its own. */
  async open(url: string): Promise<DevTools> {
    const endpoint = await this.#endpoint();
    const address = `http://${endpoint}/json/new?${encodeURIComponent(url)}`;
    const response = await fetch(address, { method: "PUT" });
    const target: unknown = await response.json();
    const debuggerUrl: unknown = Reflect.get(Object(target), "webSocketDebuggerUrl");
    const page = await DevTools.attach(String(debuggerUrl));
    this.#pages.push(page);
    return page;
  }

  async close(): Promise<void> {
    for (const page of this.#pages) page.close();
    this.#kill();
    await this.#exited;
    process.off("exit", this.#kill);
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  /** `host:port` of its developer tools. */
  async #endpoint(): Promise<string> {
    return poll(`${PROGRAM} to start; it said:\n${this.#output}`, START_MS, () => {
      const [, found = null] = /DevTools listening on ws:\/\/([^/]+)\//.exec(this.#output) ?? [];
      return found;
    });
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // All of them are gone.
  }
}
