import { decodeCommand, encodeCommand } from "@quorate/kv-store";
import { sessionId, writeSeq, type SessionId } from "@quorate/kv-store/protocol";
import { nodeId, term, type NodeId } from "@quorate/raft";
import { expect, test } from "vitest";
import { ManualClock } from "./memory/manual-clock.ts";
import { ProposalExchange } from "./proposal-exchange.ts";
import { ProposalIntake } from "./proposal-intake.ts";
import { Proposals, type SessionWrites } from "./proposals.ts";

const LEADER = nodeId(1);
const NODES = [1, 2, 3, 4, 5].map(nodeId);
const SESSIONS_PER_NODE = 4;
const OUTSTANDING = 256;
const BATCH = 128;
const TURN_MS = 10;
const HUGE = Number.MAX_SAFE_INTEGER;

interface Client {
  readonly node: NodeId;
  readonly writes: SessionWrites;
  lastSeq: number;
}

/** Nodes whose clients always have all the writes under way that they may; together more than the leader's queue holds. */
class Load {
  readonly #clock = new ManualClock();
  readonly #intake = new ProposalIntake({
    bytesMax: HUGE,
    countMax: 4_096,
    batchBytesMax: HUGE,
    batchCountMax: BATCH,
  });
  readonly #proposals = new Map<NodeId, Proposals>();
  readonly #exchanges = new Map<NodeId, ProposalExchange>();
  readonly #clients = new Map<SessionId, Client>();
  /** What arrives in the next turn. */
  #wire: (() => void)[] = [];
  /** What was proposed, until it is applied. */
  readonly #log: (readonly Uint8Array[])[] = [[], []];
  readonly applied = new Map<NodeId, number>();

  constructor() {
    for (const node of NODES) this.#addNode(node);
    for (const node of NODES) {
      for (let at = 0; at < SESSIONS_PER_NODE; at += 1) this.#addClient(node);
    }
  }

  turn(): void {
    const arrived = this.#wire;
    this.#wire = [];
    for (const arrive of arrived) arrive();
    for (const proposals of this.#proposals.values()) {
      proposals.resendGapped();
      proposals.flush();
    }
    const batch = this.#intake.peek({ timeMs: 0, clockMs: 0 });
    this.#intake.drop(batch.length);
    this.#log.push(batch);
    for (const command of this.#log.shift() ?? []) this.#apply(command);
    this.#clock.advance(TURN_MS);
  }

  #addNode(node: NodeId): void {
    const clock = this.#clock;
    const proposals: Proposals = new Proposals(
      { pendingBytesMax: HUGE, pendingCountMax: HUGE },
      {
        toSelf: (batch, commands) => exchange.take(node, batch, commands),
        toLeader: (leader, batch, commands) => exchange.sendTo(leader, batch, commands),
        nowMs: () => clock.nowMs(),
        onCommitted: () => undefined,
      },
    );
    const exchange: ProposalExchange = new ProposalExchange({
      ...{ self: node, clock, proposals, intake: this.#intake, commandBytesMax: 1_000 },
      isPeer: () => true,
      isLeader: () => node === LEADER,
      isDiskFull: () => false,
      isDiskExhausted: () => false,
      isApplied: () => false,
      send: (to, envelope) => {
        const other = this.#exchanges.get(to);
        if (envelope.kind === "proposals") {
          this.#wire.push(() => other?.take(node, envelope.batch, envelope.commands));
        } else if (envelope.kind === "proposalsRefused") {
          this.#wire.push(() => other?.onRefusal(envelope));
        }
        return true;
      },
      refuseWaiting: () => undefined,
      onRefused: () => undefined,
      wake: () => undefined,
    });
    this.#proposals.set(node, proposals);
    this.#exchanges.set(node, exchange);
    proposals.setLeader(LEADER, node === LEADER, term(1));
  }

  #addClient(node: NodeId): void {
    const session = sessionId(this.#clients.size + 1);
    const writes = this.#proposals.get(node)?.adopt(session);
    if (writes === undefined) throw new Error("no such node");
    this.#clients.set(session, { node, writes, lastSeq: 0 });
    for (let seq = 1; seq <= OUTSTANDING; seq += 1) this.#submit(session, seq);
  }

  #submit(session: SessionId, seq: number): void {
    const client = this.#clients.get(session);
    if (client === undefined) return;
    const numbers = { session, writeSeq: writeSeq(seq), ackedSeq: 0, epoch: 0 } as const;
    const command = encodeCommand({ kind: "write", ...numbers, ops: [] });
    this.#proposals.get(client.node)?.submit(client.writes, numbers.writeSeq, command);
  }

  /** As the tree does: a session's next write only. */
  #apply(bytes: Uint8Array): void {
    const { command } = decodeCommand(bytes);
    if (command.kind !== "write") return;
    const client = this.#clients.get(command.session);
    const proposals = client === undefined ? undefined : this.#proposals.get(client.node);
    if (client === undefined || command.writeSeq <= client.lastSeq) return;
    if (command.writeSeq > client.lastSeq + 1) {
      proposals?.noteGap(client.writes, command.writeSeq);
      return;
    }
    client.lastSeq += 1;
    proposals?.resolve(client.writes, client.lastSeq);
    this.applied.set(client.node, (this.applied.get(client.node) ?? 0) + 1);
    this.#submit(command.session, client.lastSeq + OUTSTANDING);
  }
}

test("nodes whose clients want more than the leader's queue holds get about the same, and copies cost little", () => {
  const load = new Load();
  const turns = 4_000;
  for (let turn = 0; turn < turns; turn += 1) load.turn();
  const share = (turns * BATCH) / NODES.length;
  for (const node of NODES) {
    const applied = load.applied.get(node) ?? 0;
    expect(applied).toBeGreaterThan(0.7 * share);
    expect(applied).toBeLessThan(1.3 * share);
  }
  const total = NODES.reduce((sum, node) => sum + (load.applied.get(node) ?? 0), 0);
  expect(total).toBeGreaterThan(0.9 * turns * BATCH);
});
