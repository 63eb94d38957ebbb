import { connect as connectSocket, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Connect, ReadValue, Revision, SessionPort } from "../drivers/session-port.ts";
import type { FakeReply, FakeRequest, FakeValue, Plant } from "./fake-wire.ts";

const BUSY_MS = 5;

/** Opens sessions of the fake service, with a fault of the driver planted. */
export function fakeConnect(plant: Plant): Connect {
  return async (servers) => {
    const [host = "", port = "0"] = (servers[0] ?? "").split(":");
    const socket = connectSocket(Number(port), host);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    // The test kills the server while sessions are open.
    socket.on("error", () => undefined);
    return new FakeSession(socket, servers[0] ?? "", plant);
  };
}

let created = 0;

/** It reads, writes, deletes and watches, and has neither ephemerals nor locks. */
class FakeSession implements SessionPort {
  readonly #socket: Socket;
  readonly #server: string;
  readonly #plant: Plant;
  readonly #waiting: Map<number, (found: FakeValue | null) => void> = new Map();
  readonly #watches: Map<number, () => void> = new Map();
  #lastId = 0;
  #lastRevision = 0;

  constructor(socket: Socket, server: string, plant: Plant) {
    this.#socket = socket;
    this.#server = server;
    this.#plant = plant;
    createInterface({ input: socket }).on("line", (line) => {
      const { id, found } = JSON.parse(line) as FakeReply;
      const answered = this.#waiting.get(id) ?? this.#watches.get(id);
      this.#waiting.delete(id);
      answered?.(found);
    });
  }

  server(): string {
    return this.#server;
  }

  hasEnded(): boolean {
    return this.#socket.destroyed;
  }

  async ensure(path: string): Promise<void> {
    await this.create(path, new Uint8Array(0));
  }

  create(path: string, data: Uint8Array): Promise<unknown> {
    return this.#ask({ id: this.#nextId(), kind: "create", path, data: base64(data) });
  }

  async set(path: string, data: Uint8Array): Promise<Revision> {
    const id = this.#nextId();
    if (this.#plant === "lying-driver" && id % 10 === 0) return { mzxid: this.#lastRevision + 1 };
    if (this.#plant === "busy-driver") compute(BUSY_MS);
    const found = await this.#ask({ id, kind: "set", path, data: base64(data) });
    if (found === null) throw new Error("no such znode");
    this.#lastRevision = found.revision;
    return { mzxid: found.revision };
  }

  async read(path: string): Promise<ReadValue | null> {
    const found = await this.#ask({ id: this.#nextId(), kind: "get", path });
    if (found === null) return null;
    return { data: new Uint8Array(Buffer.from(found.data, "base64")), revision: found.revision };
  }

  getLinearizable(path: string): Promise<unknown> {
    return this.read(path);
  }

  getLocal(path: string): Promise<unknown> {
    return this.read(path);
  }

  createEphemeral(): Promise<unknown> {
    return Promise.reject(new Error("the fake service has no ephemerals"));
  }

  async createSequential(prefix: string, data: Uint8Array): Promise<string> {
    created += 1;
    const path = `${prefix}${process.pid}-${created}`;
    await this.create(path, data);
    return path;
  }

  delete(path: string): Promise<unknown> {
    return this.#ask({ id: this.#nextId(), kind: "delete", path });
  }

  async childCount(path: string): Promise<number> {
    const found = await this.#ask({ id: this.#nextId(), kind: "children", path });
    return found?.revision ?? 0;
  }

  lockCycle(): Promise<void> {
    return Promise.reject(new Error("the fake service has no locks"));
  }

  async watch(path: string, onChange: () => void): Promise<void> {
    const id = this.#nextId();
    this.#watches.set(id, onChange);
    await this.#ask({ id, kind: "watch", path });
  }

  close(): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #ask(request: FakeRequest): Promise<FakeValue | null> {
    return new Promise((resolve) => {
      this.#waiting.set(request.id, resolve);
      this.#socket.write(`${JSON.stringify(request)}\n`);
    });
  }
}

function base64(data: Uint8Array): string {
  return Buffer.from(data).toString("base64");
}

function compute(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
