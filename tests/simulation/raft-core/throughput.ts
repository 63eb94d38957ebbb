import {
  logIndex,
  nodeId,
  RaftNode,
  term,
  type Membership,
  type Message,
  type PersistTicket,
  type RaftConfig,
} from "@quorate/raft";

/** How many entries three cores commit in a second with disks and links that take no time: what the core itself costs. */
const batchSizes = [1, 16, 500] as const;
const secondsEach = 2;

const limits: Omit<RaftConfig, "id" | "seed"> = {
  heartbeatTicks: 1,
  electionTicks: 6,
  appendEntriesMax: 4_096,
  appendBytesMax: 1_048_576,
  inflightEntriesMax: 65_536,
  inflightBytesMax: 8_388_608,
  memoryLogBytesMax: 16_777_216,
  uncommittedBytesMax: 67_108_864,
  entryBytesMax: 1_048_576,
  persistBytesMax: 4_194_304,
  applyBytesMax: 4_194_304,
  lease: null,
};

function startCores(): readonly RaftNode[] {
  const voters = [1, 2, 3].map(nodeId);
  const members = voters.map((id) => ({
    id,
    name: `n${id}`,
    peerAddress: "",
    clientAddress: "",
    promotion: { kind: "none" as const },
  }));
  const membership: Membership = { voters, outgoingVoters: [], learners: [], members };
  return voters.map(
    (id) =>
      new RaftNode(
        { ...limits, id, seed: 1 },
        {
          hardState: { term: term(0), votedFor: null },
          snapshot: { index: logIndex(0), term: term(0), membership },
          firstIndex: 1,
          entries: [],
        },
      ),
  );
}

/** One turn of every core: work is taken, written at once, applied at once, and messages arrive in the next turn. */
function turn(cores: readonly RaftNode[], inboxes: Message[][]): number {
  let applied = 0;
  for (const [at, core] of cores.entries()) {
    const inbox = inboxes[at] ?? [];
    inboxes[at] = [];
    for (const message of inbox) core.step({ kind: "message", message });
    for (;;) {
      const ready = core.takeReady();
      if (ready === null) break;
      for (const message of ready.messages) inboxes[message.to - 1]?.push(message);
      const ticket: PersistTicket | null = ready.persist?.ticket ?? null;
      if (ticket !== null) core.step({ kind: "persisted", ticket });
      const last = ready.committed[ready.committed.length - 1];
      if (last === undefined) continue;
      core.step({ kind: "applied", index: last.index });
      if (at === 0) applied += ready.committed.length;
    }
  }
  return applied;
}

function measure(batch: number): string {
  const cores = startCores();
  const inboxes: Message[][] = [[], [], []];
  const [leader] = cores;
  if (leader === undefined) throw new Error("no cores");
  for (let tick = 0; leader.status().role !== "leader" || tick < 20; tick += 1) {
    if (leader.status().role !== "leader") leader.step({ kind: "tick" });
    turn(cores, inboxes);
  }
  const data = new Uint8Array(128);
  const commands = Array.from({ length: batch }, () => data);
  const started = process.cpuUsage().user;
  let applied = 0;
  let turns = 0;
  let spent = 0;
  while (spent < secondsEach * 1e6) {
    for (let at = 0; at < 64; at += 1) {
      leader.step({ kind: "propose", commands });
      applied += turn(cores, inboxes);
    }
    turns += 64;
    if (turns % 256 === 0) for (const core of cores) core.step({ kind: "tick" });
    spent = process.cpuUsage().user - started;
  }
  const perSecond = Math.round((applied * 1e6) / spent);
  return `batch ${batch}: ${perSecond} entries per CPU second, ${Math.round((turns * 1e6) / spent)} turns`;
}

/** One line for each size of proposals. */
export function measureThroughput(): readonly string[] {
  return batchSizes.map(measure);
}
