import { setTimeout as sleep } from "node:timers/promises";
import { itemPath, type Results, type WritersOrder } from "../protocol.ts";
import { WriteGaps } from "./acknowledged.ts";
import type { Connect, SessionPort } from "./session-port.ts";

const ATTEMPTS_MAX = 100;
const AFTER_ERROR_MS = 2;

interface Writer {
  session: SessionPort;
  /** Of the last acknowledged write. */
  revision: number;
  readonly gaps: WriteGaps;
}

/** Sessions that each write without pause, one write at a time, and know their longest time without one. */
export class Writers {
  readonly #writers: readonly Writer[];
  readonly #reopen: () => Promise<SessionPort>;
  #running = true;
  #writes = 0;

  constructor(writers: readonly Writer[], directory: string, reopen: () => Promise<SessionPort>) {
    this.#writers = writers;
    this.#reopen = reopen;
    for (const [at, writer] of writers.entries()) void this.#write(writer, itemPath(directory, at));
  }

  static async start(connect: Connect, order: WritersOrder): Promise<Writers> {
    const { servers, preferred, sessionTimeoutMs, directory } = order;
    const writers: Writer[] = [];
    for (const [at, server] of preferred.entries()) {
      const session = await attached(connect, { servers, server, sessionTimeoutMs });
      await session.ensure(directory);
      await session.ensure(itemPath(directory, at));
      writers.push({ session, revision: 0, gaps: new WriteGaps() });
    }
    return new Writers(writers, directory, () => connect(servers, sessionTimeoutMs));
  }

  mark(): void {
    const now = performance.now();
    for (const { gaps } of this.#writers) gaps.mark(now);
  }

  silentMs(): readonly number[] {
    const now = performance.now();
    return this.#writers.map(({ gaps }) => now - gaps.lastMs);
  }

  async stop(): Promise<Results["writers-stop"]> {
    this.#running = false;
    const now = performance.now();
    // A writer that is still waiting has a gap until now.
    for (const { gaps } of this.#writers) gaps.wrote(now);
    const gapsMs = this.#writers.map(({ gaps }) => gaps.longestMs);
    const revisions = this.#writers.map(({ revision }) => revision);
    await Promise.all(this.#writers.map(({ session }) => session.close()));
    return { gapsMs, revisions, writes: this.#writes };
  }

  async #write(writer: Writer, path: string): Promise<void> {
    const value = new Uint8Array(128);
    writer.gaps.restart(performance.now());
    while (this.#running) {
      try {
        if (writer.session.hasEnded()) writer.session = await this.#reopen();
        const { mzxid } = await writer.session.set(path, value);
        writer.revision = Math.max(writer.revision, mzxid);
        if (this.#running) writer.gaps.wrote(performance.now());
        this.#writes += 1;
      } catch {
        await sleep(AFTER_ERROR_MS);
      }
    }
  }
}

async function attached(
  connect: Connect,
  wish: {
    readonly servers: readonly string[];
    readonly server: string;
    readonly sessionTimeoutMs: number;
  },
): Promise<SessionPort> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const session = await connect(wish.servers, wish.sessionTimeoutMs);
    if (session.server() === wish.server) return session;
    await session.close();
  }
  throw new Error(`no session came to ${wish.server}`);
}
