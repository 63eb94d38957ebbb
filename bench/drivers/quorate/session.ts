import { connect, QuorateError, type QuorateClient } from "@quorate/client";
import type { ReadValue, SessionPort } from "../session-port.ts";

const NO_DATA = new Uint8Array(0);
const LOCAL = { consistency: "local" } as const;
const EPHEMERAL = { mode: "ephemeral" } as const;
const EPHEMERAL_SEQUENTIAL = { mode: "ephemeralSequential" } as const;

/** A session of the SDK. */
export async function connectQuorate(
  servers: readonly string[],
  sessionTimeoutMs: number,
): Promise<SessionPort> {
  return new QuorateSession(await connect({ servers, sessionTimeoutMs }));
}

class QuorateSession implements SessionPort {
  readonly #client: QuorateClient;

  constructor(client: QuorateClient) {
    this.#client = client;
  }

  server(): string | null {
    const { state } = this.#client;
    return state.kind === "connected" ? state.server : null;
  }

  hasEnded(): boolean {
    return this.#client.state.kind === "expired";
  }

  async ensure(path: string): Promise<void> {
    try {
      await this.#client.create(path);
    } catch (error) {
      if (!hasCode(error, "NODE_EXISTS")) throw error;
    }
  }

  create(path: string, data: Uint8Array): Promise<unknown> {
    return this.#client.create(path, data);
  }

  set(path: string, data: Uint8Array): Promise<{ readonly mzxid: number }> {
    return this.#client.set(path, data);
  }

  async read(path: string): Promise<ReadValue | null> {
    try {
      const { data, stat } = await this.#client.get(path);
      return { data, revision: stat.mzxid };
    } catch (error) {
      if (hasCode(error, "NO_NODE")) return null;
      throw error;
    }
  }

  getLinearizable(path: string): Promise<unknown> {
    return this.#client.get(path);
  }

  getLocal(path: string): Promise<unknown> {
    return this.#client.get(path, LOCAL);
  }

  createEphemeral(path: string): Promise<unknown> {
    return this.#client.create(path, NO_DATA, EPHEMERAL);
  }

  createSequential(prefix: string, data: Uint8Array): Promise<string> {
    return this.#client.create(prefix, data, EPHEMERAL_SEQUENTIAL);
  }

  delete(path: string): Promise<unknown> {
    return this.#client.delete(path);
  }

  async childCount(path: string): Promise<number> {
    const stat = await this.#client.exists(path);
    return stat?.childCount ?? 0;
  }

  async lockCycle(path: string): Promise<void> {
    const lock = await this.#client.lock(path).acquire();
    await lock.release();
  }

  async watch(path: string, onChange: () => void): Promise<void> {
    const watch = await this.#client.watch(path);
    void (async () => {
      for await (const notice of watch) if (notice.type === "event") onChange();
    })();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof QuorateError && error.code === code;
}
