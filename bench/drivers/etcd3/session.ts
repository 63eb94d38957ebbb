import { Etcd3 } from "etcd3";
import type { ReadValue, Revision, SessionPort } from "../session-port.ts";

const NOT_MEASURED = "this driver reads and writes only";

/**
 * A client with a connection of its own: without the local pool, all clients of a process share one connection for each
 * server.
 */
export async function connectEtcd3(servers: readonly string[]): Promise<SessionPort> {
  const client = new Etcd3({
    hosts: servers.map((server) => `http://${server}`),
    grpcOptions: { "grpc.use_local_subchannel_pool": 1 },
  });
  await client.get("/").serializable(true).exec();
  return new Etcd3Session(client);
}

class Etcd3Session implements SessionPort {
  readonly #client: Etcd3;

  constructor(client: Etcd3) {
    this.#client = client;
  }

  /** The client spreads its requests over all servers it knows. */
  server(): string | null {
    return null;
  }

  hasEnded(): boolean {
    return false;
  }

  /** etcd has no directories. */
  ensure(): Promise<void> {
    return Promise.resolve();
  }

  create(path: string, data: Uint8Array): Promise<unknown> {
    return this.set(path, data);
  }

  async set(path: string, data: Uint8Array): Promise<Revision> {
    const { header } = await this.#client.put(path).value(bufferOf(data)).exec();
    return { mzxid: Number(header.revision) };
  }

  read(path: string): Promise<ReadValue | null> {
    return this.#get(path, false);
  }

  getLinearizable(path: string): Promise<unknown> {
    return this.#existing(path, false);
  }

  getLocal(path: string): Promise<unknown> {
    return this.#existing(path, true);
  }

  createEphemeral(): Promise<unknown> {
    return Promise.reject(new Error(NOT_MEASURED));
  }

  createSequential(): Promise<string> {
    return Promise.reject(new Error(NOT_MEASURED));
  }

  delete(): Promise<unknown> {
    return Promise.reject(new Error(NOT_MEASURED));
  }

  childCount(): Promise<number> {
    return Promise.reject(new Error(NOT_MEASURED));
  }

  lockCycle(): Promise<void> {
    return Promise.reject(new Error(NOT_MEASURED));
  }

  watch(): Promise<void> {
    return Promise.reject(new Error(NOT_MEASURED));
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async #existing(path: string, isSerializable: boolean): Promise<ReadValue> {
    const found = await this.#get(path, isSerializable);
    if (found === null) throw new Error(`${path} is missing`);
    return found;
  }

  async #get(path: string, isSerializable: boolean): Promise<ReadValue | null> {
    const { kvs } = await this.#client.get(path).serializable(isSerializable).exec();
    const [found] = kvs;
    return found === undefined ? null : { data: found.value, revision: Number(found.mod_revision) };
  }
}

function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
