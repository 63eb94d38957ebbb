import { fencingToken, zxid } from "@quorate/kv-store/protocol";
import type { ConnectOptions, Lock, QuorateClient } from "../../../packages/client/src/api.ts";
import { connect } from "../../../packages/client/src/connect.ts";
import { FakeNetwork, type FakeConnection } from "./fake-network.ts";

export interface OpenClient {
  readonly net: FakeNetwork;
  readonly client: QuorateClient;
  /** Of the first welcome; its hello and ping have been taken. */
  readonly connection: FakeConnection;
}

/** A client that was just welcomed and whose first ping was answered. */
export async function openClient(options: Partial<ConnectOptions> = {}): Promise<OpenClient> {
  const net = new FakeNetwork();
  const connecting = connect({ servers: ["a:1", "b:1", "c:1"], ...options }, net.ports);
  await net.clock.settle();
  const connection = net.last;
  connection.welcome();
  const client = await connecting;
  await net.clock.settle();
  connection.send({ kind: "pong", pingId: 1, zxid: zxid(100) });
  connection.take();
  return { net, client, connection };
}

/** The lock of `/l`, which the first write of a client that was just opened is answered with. */
export async function heldLock({ net, client, connection }: OpenClient): Promise<Lock> {
  const acquiring = client.lock("/l").acquire();
  await net.clock.settle();
  const contender = "/l/c-0000000001";
  connection.reply(1, 101, { kind: "acquire", contender, token: fencingToken(101), held: true });
  return acquiring;
}

/** The promise's error; fails if there is none. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not reject");
}

/** What has become of a promise by now. */
export function outcomeOf(promise: Promise<unknown>): { state: "pending" | "done" | "failed" } {
  const outcome: { state: "pending" | "done" | "failed" } = { state: "pending" };
  promise.then(
    () => {
      outcome.state = "done";
    },
    () => {
      outcome.state = "failed";
    },
  );
  return outcome;
}
