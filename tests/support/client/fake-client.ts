import {
  QuorateError,
  type Children,
  type QuorateClient,
  type SessionState,
} from "@quorate/client";
import type { Stat } from "@quorate/kv-store/protocol";

/** A tree without an ensemble: what the commands need of a client, nothing more. */
export class FakeClient implements QuorateClient {
  readonly #znodes = new Map<string, { data: Uint8Array; version: number }>();
  readonly state: SessionState = { kind: "closed" };
  readonly session = JSON.parse("1");
  readonly sessionTimeoutMs = 10_000;
  readonly livesUntil = -Infinity;
  readonly lastZxid = 0;
  readonly clusterId = "fake";
  isClosed = false;
  error: QuorateError | null = null;

  async create(path: string, data: Uint8Array | string = ""): Promise<string> {
    this.#fail();
    if (this.#znodes.has(path)) throw new QuorateError("NODE_EXISTS", path);
    this.#znodes.set(path, { data: bytesOf(data), version: 0 });
    return path;
  }

  async get(path: string): Promise<{ data: Uint8Array; stat: Stat }> {
    const { data } = this.#find(path);
    return { data, stat: this.#stat(path) };
  }

  async exists(path: string): Promise<Stat | null> {
    this.#fail();
    return this.#znodes.has(path) ? this.#stat(path) : null;
  }

  async children(path: string): Promise<Children> {
    this.#fail();
    return { names: this.#names(path), stat: this.#stat(path) };
  }

  async set(
    path: string,
    data: Uint8Array | string,
    options: { readonly version?: number } = {},
  ): Promise<Stat> {
    const znode = this.#find(path);
    if (options.version !== undefined && options.version !== znode.version) {
      throw new QuorateError("BAD_VERSION", path);
    }
    this.#znodes.set(path, { data: bytesOf(data), version: znode.version + 1 });
    return this.#stat(path);
  }

  async delete(path: string): Promise<void> {
    this.#find(path);
    if (this.#names(path).length > 0) throw new QuorateError("NOT_EMPTY", path);
    this.#znodes.delete(path);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  states: QuorateClient["states"] = () => this.#unused();
  multi = (): never => this.#unused();
  sync = (): never => this.#unused();
  sessions = (): never => this.#unused();
  watch: QuorateClient["watch"] = () => this.#unused();
  lock = (): never => this.#unused();
  election = (): never => this.#unused();

  #fail(): void {
    if (this.error !== null) throw this.error;
  }

  #find(path: string): { data: Uint8Array; version: number } {
    this.#fail();
    const znode = this.#znodes.get(path);
    if (znode === undefined) throw new QuorateError("NO_NODE", path);
    return znode;
  }

  #names(path: string): readonly string[] {
    const prefix = path === "/" ? "/" : `${path}/`;
    return [...this.#znodes.keys()]
      .filter((other) => other.startsWith(prefix) && !other.slice(prefix.length).includes("/"))
      .map((other) => other.slice(prefix.length));
  }

  #stat(path: string): Stat {
    const znode = this.#znodes.get(path);
    return JSON.parse(
      JSON.stringify({
        czxid: 1,
        mzxid: 1,
        pzxid: 1,
        ctimeMs: 0,
        mtimeMs: 0,
        version: znode?.version ?? 0,
        cversion: 0,
        aversion: 0,
        ephemeralOwner: 0,
        dataBytes: znode?.data.length ?? 0,
        childCount: this.#names(path).length,
      }),
    );
  }

  #unused(): never {
    throw new Error("not in this double");
  }
}

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}
