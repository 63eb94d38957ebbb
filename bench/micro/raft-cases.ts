import {
  logIndex,
  nodeId,
  RaftNode,
  term,
  type Membership,
  type Message,
  type RaftConfig,
} from "@quorate/raft";
import type { MicroCase } from "./micro-case.ts";
import { sampleCommands } from "./sample-data.ts";
import type { ServerInternals } from "./server-internals.ts";

const BATCHES = [1, 64];
const TICKS_MAX = 1_000;
const SETTLED_TURNS = 20;

/** Three cores, whose disks and links take no time: from a proposal until all three have it committed. */
export function raftCases({ limits }: ServerInternals): readonly MicroCase[] {
  return BATCHES.map((batch) => {
    const cores = new ThreeCores(limits.SERVER_LIMITS.raft);
    const commands = sampleCommands(batch);
    return {
      name: `raft: propose, replicate and commit, ${batch} at a time`,
      operations: batch,
      run: () => cores.commit(commands),
    };
  });
}

class ThreeCores {
  readonly #cores: readonly RaftNode[];
  readonly #leader: RaftNode;
  #onTheWay: Message[] = [];
  #committed = 0;

  constructor(
    bounds: Omit<RaftConfig, "id" | "seed" | "lease" | "heartbeatTicks" | "electionTicks">,
  ) {
    const voters = [1, 2, 3].map(nodeId);
    const members = voters.map((id) => ({
      id,
      name: `n${id}`,
      peerAddress: "",
      clientAddress: "",
      promotion: { kind: "none" as const },
    }));
    const membership: Membership = { voters, outgoingVoters: [], learners: [], members };
    this.#cores = voters.map(
      (id) =>
        new RaftNode(
          { ...bounds, heartbeatTicks: 1, electionTicks: 6, lease: null, id, seed: 1 },
          {
            hardState: { term: term(0), votedFor: null },
            snapshot: { index: logIndex(0), term: term(0), membership },
            firstIndex: 1,
            entries: [],
          },
        ),
    );
    this.#leader = this.#elect();
  }

  commit(commands: readonly Uint8Array[]): void {
    const wanted = this.#committed + commands.length * this.#cores.length;
    if (!this.#leader.step({ kind: "propose", commands }).ok) {
      throw new Error("the leader refused a proposal");
    }
    for (let turn = 0; this.#committed < wanted; turn += 1) {
      if (turn > SETTLED_TURNS) throw new Error("a proposal was not committed");
      this.#turn();
    }
  }

  #elect(): RaftNode {
    for (let tick = 0; tick < TICKS_MAX; tick += 1) {
      for (const core of this.#cores) core.step({ kind: "tick" });
      this.#turn();
      const leader = this.#cores.find((core) => core.status().role === "leader");
      if (leader === undefined) continue;
      for (let turn = 0; turn < SETTLED_TURNS; turn += 1) this.#turn();
      return leader;
    }
    throw new Error("no leader was elected");
  }

  /** Everything on the way arrives, then every core's work is done. */
  #turn(): void {
    const arriving = this.#onTheWay;
    this.#onTheWay = [];
    for (const message of arriving) this.#cores[message.to - 1]?.step({ kind: "message", message });
    for (const core of this.#cores) {
      for (let ready = core.takeReady(); ready !== null; ready = core.takeReady()) {
        for (const message of ready.messages) this.#onTheWay.push(message);
        if (ready.persist !== null) core.step({ kind: "persisted", ticket: ready.persist.ticket });
        const last = ready.committed.at(-1);
        if (last === undefined) continue;
        this.#committed += ready.committed.length;
        core.step({ kind: "applied", index: last.index });
      }
    }
  }
}
