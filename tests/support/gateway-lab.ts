import { DataTree, TREE_LIMITS, decodeCommand, type Command } from "@quorate/kv-store";
import {
  PROTOCOL_VERSION,
  decodeServerFrame,
  encodeClientFrame,
  writeSeq,
  zxid,
  type ClientMessage,
  type Hello,
  type ServerMessage,
  type WriteOp,
} from "@quorate/kv-store/protocol";
import { nodeId, term, type ReadContext } from "@quorate/raft";
import { ClientGateway } from "../../packages/server/src/client/client-gateway.ts";
import { Liveness } from "../../packages/server/src/liveness.ts";
import { ManualClock } from "../../packages/server/src/memory/manual-clock.ts";
import type { Connection, ConnectionHandlers } from "../../packages/server/src/ports.ts";
import { Proposals } from "../../packages/server/src/proposals.ts";
import { ReadIndexes } from "../../packages/server/src/reads.ts";

export const SELF = nodeId(1);
export const HISTORY = "history-1";
export const EMPTY = new Uint8Array(0);
export const MIB = 1_048_576;

let clients = 0;

export class Client implements Connection {
  readonly remote: string;
  said: ServerMessage[] = [];
  bufferedBytes = 0;
  state: "open" | "closed" | "destroyed" = "open";
  #handlers: ConnectionHandlers | null = null;

  constructor() {
    clients += 1;
    this.remote = `client:${clients}`;
  }

  setHandlers(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }
  send(frame: Uint8Array): void {
    this.said.push(...decodeServerFrame(frame));
  }
  pause(): void {}
  resume(): void {}
  close(): void {
    this.state = "closed";
  }
  destroy(): void {
    this.state = "destroyed";
  }
  says(...messages: readonly ClientMessage[]): void {
    this.#handlers?.onFrame(encodeClientFrame(messages));
  }
  drops(): void {
    this.#handlers?.onClose("gone");
  }
  /** Everything heard since the last call. */
  take(): readonly ServerMessage[] {
    const said = this.said;
    this.said = [];
    return said;
  }
  kinds(): readonly string[] {
    return this.take().map((message) =>
      message.kind === "goodbye" ? `goodbye ${message.code}` : message.kind,
    );
  }
}

/** A node's clients over a log that commits when the test says so. */
export class Node {
  readonly clock = new ManualClock();
  tree = new DataTree(TREE_LIMITS);
  readonly log: Uint8Array[] = [];
  readonly asked: ReadContext[] = [];
  readonly touches: { batch: number; sessions: readonly number[] }[] = [];
  index = 0;
  /** What timeouts of sessions are brought into. */
  readonly sessions = { timeoutMinMs: 1_000, timeoutMaxMs: 600_000 };
  /** Of the watches of all clients. */
  readonly watchLimits = { watchesMax: 1_000_000, watchBytesMax: 1_024 * MIB };
  readonly proposals = new Proposals(
    { pendingBytesMax: 8 * MIB, pendingCountMax: 100 },
    {
      toSelf: (_batch, commands) => void this.log.push(...commands),
      toLeader: () => undefined,
      nowMs: () => this.clock.nowMs(),
      onCommitted: () => undefined,
    },
  );
  readonly reads = new ReadIndexes(1, { requestIndex: (context) => void this.asked.push(context) });
  readonly liveness = new Liveness({
    nowMs: () => this.clock.nowMs(),
    sendTouches: (_to, batch, sessions) => void this.touches.push({ batch, sessions }),
  });
  readonly gateway = new ClientGateway({
    identity: {
      nodeId: SELF,
      name: "one",
      clusterId: "cluster",
      historyId: HISTORY,
      servers: () => ["one:1", "two:1"],
    },
    outboxLimits: { bufferedBytesMax: 16 * MIB, frameMessagesMax: 2048, frameBytesMax: 262_144 },
    commandBytesMax: 2 * MIB,
    sessions: this.sessions,
    watchLimits: this.watchLimits,
    clock: this.clock,
    proposals: this.proposals,
    reads: this.reads,
    liveness: this.liveness,
    tree: () => this.tree,
    appliedIndex: () => this.index,
    wake: () => undefined,
  });

  constructor() {
    this.proposals.setLeader(SELF, true, term(1));
    this.liveness.setLeader(SELF);
    this.clock.advance(1000);
  }

  /** What the log holds after this turn, taken out of it. */
  proposed(): readonly Uint8Array[] {
    this.proposals.flush();
    return this.log.splice(0);
  }

  commands(): readonly Command[] {
    return this.proposed().map((bytes) => decodeCommand(bytes).command);
  }

  apply(command: Command): void {
    this.index += 1;
    const stamp = { timeMs: 1, clockMs: 1 };
    this.gateway.onApplied(this.tree.apply(zxid(this.index), 1, stamp, command));
  }

  /** Everything proposed is applied, what comes of it leaves. */
  turn(): void {
    for (const command of this.commands()) this.apply(command);
    this.gateway.flush();
  }

  connect(): Client {
    const client = new Client();
    this.gateway.accept(client);
    return client;
  }

  /** A client with a session of its own; nothing it heard so far counts. */
  attached(mark = 1): { readonly client: Client; readonly session: number } {
    const client = this.connect();
    client.says(hello({ secret: secret(mark) }));
    this.turn();
    const [welcome] = client.take();
    if (welcome?.kind !== "welcome") throw new Error("no welcome");
    return { client, session: welcome.session };
  }
}

export const secret = (mark: number) => new Uint8Array(16).fill(mark);

export function hello(changes: Partial<Hello> = {}): Hello {
  return {
    kind: "hello",
    protocolVersion: PROTOCOL_VERSION,
    session: null,
    secret: secret(1),
    timeoutMs: 5000,
    lastZxid: 0,
    historyId: "",
    clientName: "test",
    ...changes,
  };
}

export const write = (seq: number, ...ops: readonly WriteOp[]): ClientMessage => ({
  kind: "write",
  writeSeq: writeSeq(seq),
  ackedSeq: 0,
  ops,
});
export const create = (path: string, data: Uint8Array = EMPTY): WriteOp => ({
  kind: "create",
  path,
  data,
  mode: "persistent",
});
export const remove = (path: string): WriteOp => ({ kind: "delete", path, version: null });
export const set = (path: string, data: Uint8Array): WriteOp => ({
  kind: "set",
  path,
  data,
  version: null,
});
export const watch = (
  path: string,
  changes: Partial<Extract<ClientMessage, { kind: "addWatch" }>> = {},
): ClientMessage => ({
  kind: "addWatch",
  cxid: 1,
  watchId: 1,
  path,
  mode: "recursive",
  withData: false,
  sinceZxid: null,
  ...changes,
});
