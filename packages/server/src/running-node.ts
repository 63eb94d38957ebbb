import { decodeCommand } from "@quorate/kv-store";
import {
  RaftNode,
  isMember,
  isVoter,
  type ConfigEntry,
  type Entry,
  type HardState,
  type Member,
  type Membership,
  type Message,
  type NodeId,
  type RaftStatus,
  type ReadState,
  type SnapshotMeta,
  type SoftState,
} from "@quorate/raft";
import { Applier } from "./applier.ts";
import { ClientGateway } from "./client/client-gateway.ts";
import { DigestExchange } from "./digest-exchange.ts";
import { DiskWatch } from "./disk-watch.ts";
import { ServerError } from "./errors.ts";
import { NodeSnapshots } from "./image/node-snapshots.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { Liveness } from "./liveness.ts";
import { MembershipKeeper } from "./membership-keeper.ts";
import { NodeLoop, type LoopHooks } from "./node-loop.ts";
import type { NodeStorage } from "./node-storage.ts";
import type { PeerEnvelope } from "./peer/envelope.ts";
import type { ServerPorts } from "./ports.ts";
import { ProposalIntake } from "./proposal-intake.ts";
import { growsTree } from "./proposal-growth.ts";
import { Proposals } from "./proposals.ts";
import { ReadIndexes } from "./reads.ts";
import type { RunningNodeOptions } from "./running-node-options.ts";

/** Ticks between two looks at what membership needs. */
const MEMBERSHIP_TICKS = 10;

/**
 * One member at work: the parts around the spine, wired. Protocol decisions are in the parts; here is only who hears of
 * what, and in which order.
 */
export class RunningNode implements LoopHooks {
  readonly gateway: ClientGateway;
  readonly #options: RunningNodeOptions;
  readonly #storage: NodeStorage;
  readonly #raft: RaftNode;
  readonly #loop: NodeLoop;
  readonly #applier: Applier;
  readonly #proposals: Proposals;
  readonly #intake: ProposalIntake;
  readonly #reads: ReadIndexes;
  readonly #liveness: Liveness;
  readonly #duties: LeaderDuties;
  readonly #digests: DigestExchange;
  readonly #keeper = new MembershipKeeper();
  readonly #snapshots: NodeSnapshots;
  readonly #disk: DiskWatch;
  #membership: Membership;
  #soft: SoftState;
  #ticks = 0;
  #stopping = false;

  constructor(options: RunningNodeOptions) {
    const { config, ports, opened, self } = options;
    const { limits } = config;
    this.#options = options;
    this.#storage = opened.storage;
    this.#membership = opened.initial.snapshot.membership;
    this.#soft = { role: "follower", leader: null, term: opened.initial.hardState.term };
    this.#raft = new RaftNode(raftConfig(options), opened.initial);
    this.#intake = new ProposalIntake(limits.intake);
    this.#reads = new ReadIndexes(nonce(ports), {
      requestIndex: (context) => void this.#loop.step({ kind: "readIndex", context }),
    });
    this.#proposals = new Proposals(limits.proposals, {
      toSelf: (commands) => this.#takeProposals(self.id, 0, commands),
      toLeader: (leader, batch, commands) =>
        options.peers.send(leader, { kind: "proposals", batch, commands }),
    });
    this.#liveness = new Liveness({
      nowMs: () => ports.clock.nowMs(),
      sendTouches: (leader, batch, sessions) => this.#sendTouches(leader, batch, sessions),
    });
    this.#duties = this.#createDuties();
    this.#digests = this.#createDigests();
    this.gateway = this.#createGateway();
    const { gateway } = this;
    const duties = this.#duties;
    const digests = this.#digests;
    const onMembership = (entry: ConfigEntry): void => this.#onMembership(entry.membership);
    this.#applier = new Applier(opened.tree, opened.initial.snapshot, {
      gateway,
      duties,
      digests,
      onMembership,
    });
    this.#snapshots = this.#createSnapshots();
    this.#disk = new DiskWatch(ports.files, config.dataDirectory, limits.disk);
    this.#loop = new NodeLoop(
      {
        raft: this.#raft,
        log: this.#storage,
        clock: ports.clock,
        intake: this.#intake,
        tickMs: config.timing.tickMs,
        hooks: this,
      },
      opened.initial.hardState,
    );
  }

  start(): void {
    this.#options.peers.setMembers(this.#membership.members);
    this.#loop.start();
  }

  get status(): RaftStatus {
    return this.#raft.status();
  }

  /** The encoded form of entries that are being sent to peers. */
  blockFor(entries: readonly Entry[]): Uint8Array {
    return this.#loop.blockFor(entries);
  }

  get soft(): SoftState {
    return this.#soft;
  }

  get membership(): Membership {
    return this.#membership;
  }

  get applier(): Applier {
    return this.#applier;
  }

  get proposals(): Proposals {
    return this.#proposals;
  }

  get storage(): NodeStorage {
    return this.#storage;
  }

  get disk(): DiskWatch {
    return this.#disk;
  }

  get checkpointIndex(): number {
    return this.#snapshots.checkpointIndex;
  }

  /** Reasons why linearizable requests would not be served now. */
  notReady(): readonly string[] {
    const reasons: string[] = [];
    if (this.#soft.leader === null) reasons.push("no leader is known");
    const { commitIndex } = this.#raft.status();
    if (this.#applier.appliedTerm !== this.#soft.term) reasons.push("not caught up with the leader");
    else if (this.#applier.appliedIndex < commitIndex) reasons.push("applying the log");
    if (this.#disk.isFull) reasons.push("the disk is full: only reads and deletes are served");
    return reasons;
  }

  /** Asks the leader to hand over to somebody else; resolves when it has, or after `timeoutMs`. */
  handOver(timeoutMs: number): Promise<void> {
    const { clock } = this.#options.ports;
    const target = successor(this.#raft.status());
    if (target === null) return Promise.resolve();
    this.#loop.push({ kind: "transferLeadership", to: target });
    return new Promise((resolve) => {
      const deadline = clock.nowMs() + timeoutMs;
      const timer = clock.every(10, () => {
        if (this.#soft.role === "leader" && clock.nowMs() < deadline) return;
        timer.cancel();
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.gateway.stop();
    this.#loop.stop();
    await this.#snapshots.stop();
    await this.#loop.settled();
    await this.#storage.close();
  }

  // What peers say.

  onEnvelope(from: NodeId, envelope: PeerEnvelope): void {
    switch (envelope.kind) {
      case "raft":
        this.#loop.push({ kind: "message", message: envelope.message });
        return;
      case "proposals":
        this.#takeProposals(from, envelope.batch, envelope.commands);
        return;
      case "proposalsRefused":
        this.#onProposalsRefused(envelope);
        return;
      case "touches":
        this.#duties.onTouches(from, envelope.batch, envelope.sessions);
        return;
      case "touchesNoted":
        if (from === this.#soft.leader) this.#liveness.onNoted(envelope.batch, envelope.unknown);
        this.#loop.wake();
        return;
      case "snapshotChunk":
      case "snapshotAck":
        this.#snapshots.onEnvelope(from, envelope);
        return;
      case "digest":
        this.#digests.onDigest(from, envelope.index, envelope.digest);
        return;
    }
  }

  onPeerDown(peer: NodeId): void {
    this.#snapshots.onPeerDown(peer);
    this.#loop.push({ kind: "peerUnreachable", peer });
  }

  /** The way to a peer is new: what was under way on the old one may be lost. */
  onPeerUp(peer: NodeId): void {
    if (peer === this.#soft.leader) this.#proposals.resendAll();
    this.#loop.wake();
  }

  onRejoin(member: Member): void {
    this.#keeper.request(member);
  }

  #takeProposals(from: NodeId, batch: number, commands: readonly Uint8Array[]): void {
    const reason = this.#refusalFor(commands);
    if (reason === null) {
      this.#loop.wake();
      return;
    }
    const retryAfterMs = reason === "notLeader" ? 10 : 100;
    const refusal = { kind: "proposalsRefused", batch, reason, retryAfterMs } as const;
    this.#options.metrics.counters.proposalsRefused += commands.length;
    if (from === this.#options.self.id) this.#onProposalsRefused(refusal);
    else this.#options.peers.send(from, refusal);
  }

  #refusalFor(
    commands: readonly Uint8Array[],
  ): Extract<PeerEnvelope, { readonly kind: "proposalsRefused" }>["reason"] | null {
    if (this.#soft.role !== "leader") return "notLeader";
    if (this.#disk.isFull && commands.some(growing)) return "diskFull";
    return this.#intake.add(commands) ? null : "overloaded";
  }

  #onProposalsRefused(
    refusal: Extract<PeerEnvelope, { readonly kind: "proposalsRefused" }>,
  ): void {
    if (refusal.reason === "diskFull") {
      this.gateway.refuseWaiting(growing, "DISK_FULL", refusal.retryAfterMs);
    }
    // With a new leader everything goes out again anyway; with the same one, after the pause it asked for.
    this.#options.ports.clock.after(refusal.retryAfterMs, () => {
      if (this.#stopping) return;
      this.#proposals.resendAll();
      this.#loop.wake();
    });
  }

  #sendTouches(leader: NodeId, batch: number, sessions: readonly number[]): void {
    if (leader === this.#options.self.id) this.#duties.onTouches(leader, batch, sessions);
    else this.#options.peers.send(leader, { kind: "touches", batch, sessions });
  }

  #onMembership(membership: Membership): void {
    const { self } = this.#options;
    const wasMember = isMember(this.#membership, self.id);
    this.#membership = membership;
    this.#options.peers.setMembers(membership.members);
    this.#options.logger.info({ voters: membership.voters.length }, "the membership changed");
    if (wasMember && !isMember(membership, self.id)) {
      this.onFatal(new ServerError("REMOVED", "this node was removed from the ensemble"));
    }
  }

  // What the loop asks for.

  gather(): void {
    this.#options.metrics.counters.turns += 1;
    this.#proposals.flush();
    this.#reads.flush();
    this.#liveness.flush();
  }

  onSoftState(state: SoftState): void {
    const { metrics, logger, self } = this.#options;
    const before = this.#soft;
    this.#soft = state;
    if (state.leader !== before.leader) {
      metrics.counters.leaderChanges += 1;
      const leader = this.nameOf(state.leader);
      logger.info({ role: state.role, term: state.term, leader }, "the leader changed");
    }
    if (state.role === "candidate") metrics.counters.elections += 1;
    this.#duties.onSoftState(state);
    this.#proposals.setLeader(state.leader, state.leader === self.id, state.term);
    this.#liveness.setLeader(state.leader);
    this.#loop.wake();
  }

  nameOf(id: NodeId | null): string | null {
    return this.#membership.members.find((member) => member.id === id)?.name ?? null;
  }

  onHardState(state: HardState): Promise<void> {
    return this.#storage.recordVote(state);
  }

  send(message: Message): void {
    if (message.kind === "installSnapshot") this.#snapshots.transfer(message);
    else this.#options.peers.send(message.to, { kind: "raft", message });
  }

  installSnapshot(meta: SnapshotMeta): void {
    this.#snapshots.install(meta);
    this.#onMembership(meta.membership);
  }

  apply(entries: readonly Entry[]): void {
    this.#applier.apply(entries);
    const { counters, applyBatch } = this.#options.metrics;
    counters.entriesApplied += entries.length;
    applyBatch.observe(entries.length);
    this.#snapshots.onApplied();
  }

  onReadState(state: ReadState): void {
    this.#reads.onReadState(state);
  }

  stamp(): ReturnType<LeaderDuties["stamp"]> {
    return this.#duties.stamp();
  }

  flush(): void {
    this.gateway.flush();
    this.#options.peers.flush();
  }

  onTick(elapsedMs: number, stalledMs: number): void {
    const { logger, metrics } = this.#options;
    if (stalledMs > 0) {
      metrics.counters.stalls += 1;
      logger.warn({ stalledMs: Math.round(stalledMs) }, "the process stood still");
    }
    this.#ticks += 1;
    this.#reads.retry();
    this.#duties.onTick(stalledMs > 0 ? 0 : elapsedMs);
    this.gateway.onTick();
    this.#snapshots.onTick();
    this.#disk.onTick(elapsedMs);
    if (this.#ticks % MEMBERSHIP_TICKS === 0) this.#keepMembership();
  }

  onPersisted(durationMs: number): void {
    this.#options.metrics.counters.walWrites += 1;
    this.#options.metrics.walWriteMs.observe(durationMs);
  }

  onFatal(error: unknown): void {
    this.#loop.stop();
    this.#options.onFatal(error);
  }

  #keepMembership(): void {
    if (!this.#duties.isActive) return;
    const status = this.#raft.status();
    const membership = this.#keeper.next({
      membership: status.membership,
      commitIndex: status.commitIndex,
      changePending: status.isMembershipPending,
      progress: status.peers,
    });
    if (membership === null) return;
    this.#loop.push({ kind: "proposeMembership", membership });
  }

  // The parts that need more than a line.

  #createDuties(): LeaderDuties {
    const { clock, wallClock } = this.#options.ports;
    return new LeaderDuties({
      clock,
      wallClock,
      intake: this.#intake,
      tree: () => this.#applier.tree,
      lastIndex: () => this.#raft.status().lastIndex,
      confirm: (read) => {
        this.#reads.add(read);
        this.#loop.wake();
      },
      answerTouches: (to, batch, unknown) => {
        if (to === this.#options.self.id) this.#liveness.onNoted(batch, unknown);
        else this.#options.peers.send(to, { kind: "touchesNoted", batch, unknown });
      },
    });
  }

  #createDigests(): DigestExchange {
    const { self, peers, metrics } = this.#options;
    return new DigestExchange({
      self: self.id,
      voterCount: () => this.#membership.voters.length,
      broadcast: (index, digest) => {
        for (const { id } of this.#membership.members) {
          if (id !== self.id) peers.send(id, { kind: "digest", index, digest });
        }
      },
      fatal: (index, own, others) => {
        metrics.counters.digestMismatches += 1;
        const text = `at ${index} this node's state is ${own}, a majority has ${others}`;
        this.onFatal(new ServerError("DIGEST_MISMATCH", text));
      },
    });
  }

  #createGateway(): ClientGateway {
    const { config, ports, self, belonging } = this.#options;
    return new ClientGateway({
      identity: {
        nodeId: self.id,
        name: self.name,
        clusterId: belonging.clusterId,
        historyId: belonging.historyId,
        servers: () =>
          this.#membership.members.map(
            ({ name, clientAddress }) =>
              config.members.find((known) => known.name === name)?.clientAddress ?? clientAddress,
          ),
      },
      outboxLimits: config.limits.outbox,
      clock: ports.clock,
      proposals: this.#proposals,
      reads: this.#reads,
      liveness: this.#liveness,
      tree: () => this.#applier.tree,
      appliedIndex: () => this.#applier.appliedIndex,
      wake: () => this.#loop.wake(),
    });
  }

  #createSnapshots(): NodeSnapshots {
    const { config, ports, belonging, metrics, opened, peers } = this.#options;
    return new NodeSnapshots({
      clock: ports.clock,
      limits: config.limits.tree,
      storage: this.#storage,
      metrics,
      clusterId: belonging.clusterId,
      historyId: belonging.historyId,
      firstTransfer: nonce(ports),
      checkpointIndex: opened.initial.snapshot.index,
      applier: () => this.#applier,
      membership: () => this.#membership,
      send: (to, envelope) => {
        peers.send(to, envelope);
        this.#loop.wake();
      },
      push: (input) => this.#loop.push(input),
      fatal: (error) => this.onFatal(error),
    });
  }
}

/** The voter that a leader hands over to best: in touch, and furthest along. */
function successor(status: RaftStatus): NodeId | null {
  if (status.role !== "leader") return null;
  let best: { readonly id: NodeId; readonly matchIndex: number } | null = null;
  for (const peer of status.peers) {
    if (!peer.recentlyActive || !isVoter(status.membership, peer.id)) continue;
    if (best === null || peer.matchIndex > best.matchIndex) best = peer;
  }
  return best?.id ?? null;
}

function growing(command: Uint8Array): boolean {
  return growsTree(decodeCommand(command).command);
}

/** A number that no earlier process of this node has used. */
function nonce(ports: ServerPorts): number {
  let value = 0;
  for (const byte of ports.random.bytes(6)) value = value * 256 + byte;
  return value;
}

function raftConfig(options: RunningNodeOptions): ConstructorParameters<typeof RaftNode>[0] {
  const { config, ports, self } = options;
  const { tickMs, heartbeatMs, electionTimeoutMs } = config.timing;
  return {
    ...config.limits.raft,
    id: self.id,
    heartbeatTicks: heartbeatMs / tickMs,
    electionTicks: electionTimeoutMs / tickMs,
    seed: nonce(ports) % 0xffff_ffff,
  };
}
