import type {
  Entry,
  HardState,
  LogIndex,
  Membership,
  Message,
  NodeId,
  RaftNode,
  RaftStatus,
  ReadState,
  SnapshotMeta,
  SoftState,
} from "@quorate/raft";
import { Applier } from "./applier.ts";
import { NodeBackups } from "./backup/node-backups.ts";
import { ClientGateway } from "./client/client-gateway.ts";
import { DigestExchange } from "./digest-exchange.ts";
import { diskHealthOf, type DiskHealth } from "./disk-health.ts";
import { ServerError } from "./errors.ts";
import { NodeSnapshots, isInstalling } from "./image/node-snapshots.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { Leadership } from "./leadership.ts";
import { Liveness } from "./liveness.ts";
import { NodeMembership } from "./membership/node-membership.ts";
import { NodeLoop, type LoopHooks } from "./node-loop.ts";
import { drawNonce } from "./nonce.ts";
import type { NodeStorage } from "./node-storage.ts";
import type { PeerEnvelope } from "./peer/envelope.ts";
import { ProposalExchange } from "./proposal-exchange.ts";
import { ProposalIntake } from "./proposal-intake.ts";
import { Proposals } from "./proposals.ts";
import { ReadIndexes, type WaitingRead } from "./reads.ts";
import type { RunningNodeOptions } from "./running-node-options.ts";
import { startCore, type StartedCore } from "./trace/start-core.ts";

/** Ticks between two attempts to give a new ensemble its first leader. */
const FOUNDING_TICKS = 2;
/** Ticks between two looks at what membership needs. */
const MEMBERSHIP_TICKS = 10;

/**
 * One member at work: the parts around the spine, wired. Protocol decisions are in the parts; here is only who hears of
 * what, and in which order.
 */
export class RunningNode implements LoopHooks {
  readonly gateway: ClientGateway;
  readonly leadership: Leadership;
  readonly members: NodeMembership;
  readonly #options: RunningNodeOptions;
  readonly #storage: NodeStorage;
  readonly #core: StartedCore;
  readonly #raft: RaftNode;
  readonly #loop: NodeLoop;
  readonly #applier: Applier;
  readonly #proposals: Proposals;
  readonly #exchange: ProposalExchange;
  readonly #intake: ProposalIntake;
  readonly #reads: ReadIndexes;
  readonly #liveness: Liveness;
  readonly #duties: LeaderDuties;
  readonly #digests: DigestExchange;
  readonly #snapshots: NodeSnapshots;
  readonly #disk: DiskHealth;
  readonly #backups: NodeBackups;
  #soft: SoftState;
  #ticks = 0;

  constructor(options: RunningNodeOptions) {
    const { config, ports, opened, self } = options;
    const { limits } = config;
    this.#options = options;
    this.#storage = opened.storage;
    this.#soft = { role: "follower", leader: null, term: opened.initial.hardState.term };
    this.#core = startCore({ ...options, initial: opened.initial });
    this.#raft = this.#core.raft;
    this.#intake = new ProposalIntake(limits.intake);
    this.#reads = new ReadIndexes(drawNonce(ports.random), {
      requestIndex: (context) => void this.#loop.step({ kind: "readIndex", context }),
    });
    this.#proposals = new Proposals(limits.proposals, {
      toSelf: (batch, commands) => this.#exchange.take(self.id, batch, commands),
      toLeader: (leader, batch, commands) => this.#exchange.sendTo(leader, batch, commands),
      nowMs: () => ports.clock.nowMs(),
      onCommitted: (durationMs) => options.metrics.commitMs.observe(durationMs),
    });
    this.#disk = diskHealthOf(options, {
      membership: () => this.members.current,
      onWaiting: () => this.gateway.sendAway("NOT_READY", "the disk of this server is full"),
    });
    this.#exchange = this.#createExchange();
    this.#liveness = new Liveness({
      nowMs: () => ports.clock.nowMs(),
      sendTouches: (leader, batch, sessions) => this.#sendTouches(leader, batch, sessions),
    });
    this.#duties = this.#createDuties();
    this.leadership = new Leadership({
      clock: ports.clock,
      status: () => this.#raft.status(),
      step: (input) => this.#loop.stepNow(input),
      priorityOf: (id) => options.priorityOf(id),
      ownPriority: config.priority,
      hasRoom: (id) => this.#disk.hasRoom(id),
    });
    this.members = this.#createMembership();
    this.#digests = this.#createDigests();
    this.gateway = this.#createGateway();
    this.#applier = new Applier(opened.tree, opened.initial.snapshot, {
      gateway: this.gateway,
      duties: this.#duties,
      digests: this.#digests,
      onMembership: ({ membership, index }) => this.#onMembership(membership, index),
    });
    this.#snapshots = this.#createSnapshots();
    this.#backups = this.#createBackups();
    this.#loop = new NodeLoop(
      {
        raft: this.#core.loopCore,
        log: this.#storage,
        clock: ports.clock,
        intake: this.#intake,
        tickMs: config.timing.tickMs,
        hasLeases: config.leaseReads,
        hooks: this,
      },
      opened.initial.hardState,
    );
  }

  start(): void {
    const { config, logger, metrics, onDamage } = this.#options;
    this.#storage.room.begin();
    this.members.start();
    this.#loop.start();
    this.#storage.startScrubbing(config.scrubIntervalMs, { metrics, logger, onDamage });
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

  /** It leads, and has applied what was there before. */
  get isLeading(): boolean {
    return this.#duties.isActive;
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

  get disk(): DiskHealth {
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
    if (this.#applier.appliedTerm !== this.#soft.term)
      reasons.push("not caught up with the leader");
    else if (this.#applier.appliedIndex < commitIndex) reasons.push("applying the log");
    return [...reasons, ...this.#disk.notReady()];
  }

  /** See {@link NodeBackups.begin}. */
  backup(isLocal: boolean): Promise<AsyncIterable<Uint8Array>> {
    return this.#backups.begin(isLocal);
  }

  async stop(): Promise<void> {
    this.gateway.stop();
    await this.#backups.stop();
    this.#exchange.stop();
    this.#loop.stop();
    const traced = this.#core.endTrace();
    await this.#snapshots.stop();
    this.#storage.room.end();
    await this.#loop.settled();
    await this.#options.reserve.close();
    await this.#storage.close();
    await traced;
  }

  // What peers say.

  onEnvelope(from: NodeId, envelope: PeerEnvelope): void {
    switch (envelope.kind) {
      case "raft":
        this.#loop.push({ kind: "message", message: envelope.message });
        return;
      case "proposals":
        this.#exchange.take(from, envelope.batch, envelope.commands);
        return;
      case "proposalsRefused":
        this.#exchange.onRefusal(envelope);
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
      case "disk":
        this.#disk.onPeerDisk(from, envelope.isFull);
        return;
      case "digest":
        this.#digests.onDigest(from, envelope.index, envelope.digest);
        return;
      case "joinRequest":
        this.members.onJoinRequest(envelope.request, false);
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
    this.#disk.onPeerUp(peer);
    this.#loop.wake();
  }

  #sendTouches(leader: NodeId, batch: number, sessions: readonly number[]): void {
    if (leader === this.#options.self.id) this.#duties.onTouches(leader, batch, sessions);
    else this.#options.peers.send(leader, { kind: "touches", batch, sessions });
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
      const leader = this.members.nameOf(state.leader);
      logger.info({ role: state.role, term: state.term, leader }, "the leader changed");
    }
    if (state.role === "candidate") metrics.counters.elections += 1;
    this.#duties.onSoftState(state);
    this.#proposals.setLeader(state.leader, state.leader === self.id, state.term);
    this.#liveness.setLeader(state.leader);
    this.#loop.wake();
  }

  #onMembership(membership: Membership, index: LogIndex): void {
    const before = this.members.clientAddresses;
    this.members.onApplied(membership, index);
    if (this.members.clientAddresses.join() !== before.join()) this.gateway.tellServers();
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
    this.#onMembership(meta.membership, meta.index);
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
    // What has gathered meanwhile is the next request, within the same turn.
    this.#reads.flush();
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
    if (this.#ticks % MEMBERSHIP_TICKS === 0) {
      this.members.keep();
      this.leadership.keep();
    }
    if (this.#soft.term === 0 && this.#ticks % FOUNDING_TICKS === 0) this.#found();
  }

  onPersisted(durationMs: number): void {
    this.#options.metrics.counters.walWrites += 1;
    this.#options.metrics.walWriteMs.observe(durationMs);
  }

  onFatal(error: unknown): void {
    this.#loop.stop();
    this.#exchange.stop();
    this.gateway.abort();
    this.#options.onFatal(error);
  }

  /** In an ensemble without any past one member asks around early: nobody has to wait out a timeout. */
  #found(): void {
    const { voters } = this.members.current;
    const { id } = this.#options.self;
    if (voters.every((voter) => voter >= id)) this.#loop.push({ kind: "campaign" });
  }

  #confirm(read: WaitingRead): void {
    this.#reads.add(read);
    this.#loop.wake();
  }

  // The parts that need more than a line.

  #createDuties(): LeaderDuties {
    return new LeaderDuties({
      clock: this.#options.ports.clock,
      wallClock: this.#options.ports.wallClock,
      intake: this.#intake,
      tree: () => this.#applier.tree,
      confirm: (read) => this.#confirm(read),
      answerTouches: (to, batch, unknown) => {
        if (to === this.#options.self.id) this.#liveness.onNoted(batch, unknown);
        else this.#options.peers.send(to, { kind: "touchesNoted", batch, unknown });
      },
    });
  }

  #createMembership(): NodeMembership {
    const { self, opened, config, logger, peers, ports } = this.#options;
    return new NodeMembership({
      self,
      initial: opened.initial.snapshot.membership,
      configured: config.members,
      acquaintances: this.#options.acquaintances,
      logger,
      ports: {
        nowMs: () => ports.clock.nowMs(),
        status: () => this.#raft.status(),
        isLeading: () => this.isLeading,
        step: (input) => this.#loop.stepNow(input),
        successor: (mayLead) => this.leadership.successor(mayLead),
        send: (to, envelope) => void peers.send(to, envelope),
        setTargets: (targets) => peers.setTargets(targets),
        onRemoved: (error) => this.onFatal(error),
      },
    });
  }

  #createExchange(): ProposalExchange {
    const { config, self, ports, peers, metrics } = this.#options;
    return new ProposalExchange({
      self: self.id,
      clock: ports.clock,
      proposals: this.#proposals,
      intake: this.#intake,
      commandBytesMax: config.limits.raft.entryBytesMax,
      isLeader: () => this.#soft.role === "leader",
      isDiskFull: () => this.#disk.refusesGrowth(),
      send: (to, envelope) => peers.send(to, envelope),
      refuseWaiting: (refuse, code, retryAfterMs) =>
        this.gateway.refuseWaiting(refuse, code, retryAfterMs),
      onRefused: (count) => {
        metrics.counters.proposalsRefused += count;
      },
      wake: () => this.#loop.wake(),
    });
  }

  #createDigests(): DigestExchange {
    const { self, peers, metrics } = this.#options;
    return new DigestExchange({
      self: self.id,
      voters: () => this.members.current.voters,
      broadcast: (index, digest) => {
        for (const { id } of this.members.current.members) {
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
        servers: () => this.members.clientAddresses,
      },
      outboxLimits: config.limits.outbox,
      sessions: config.sessions,
      unreadBytesMax: config.limits.client.unreadBytesMax,
      counters: this.#options.metrics.counters,
      clock: ports.clock,
      proposals: this.#proposals,
      reads: this.#reads,
      liveness: this.#liveness,
      tree: () => this.#applier.tree,
      appliedIndex: () => this.#applier.appliedIndex,
      wake: () => this.#loop.wake(),
    });
  }

  #createBackups(): NodeBackups {
    return new NodeBackups({
      clock: this.#options.ports.clock,
      confirm: (read) => this.#confirm(read),
      appliedIndex: () => this.#applier.appliedIndex,
      openView: () => this.#snapshots.openView(),
    });
  }

  #createSnapshots(): NodeSnapshots {
    const { config, ports, belonging, metrics, opened, peers } = this.#options;
    return new NodeSnapshots({
      clock: ports.clock,
      limits: config.limits.tree,
      storage: this.#storage,
      metrics,
      ...{ clusterId: belonging.clusterId, historyId: belonging.historyId },
      firstTransfer: drawNonce(ports.random),
      storageLimits: config.limits.storage,
      checkpointIndex: opened.initial.snapshot.index,
      applier: () => this.#applier,
      membership: () => this.members.current,
      isInstalling: (index) => isInstalling(this.#raft.status(), index),
      hasRoomFor: (bytes) => this.#disk.hasRoomFor(bytes),
      send: (to, envelope) => {
        peers.send(to, envelope);
        this.#loop.wake();
      },
      push: (input) => this.#loop.push(input),
      fatal: (error) => this.onFatal(error),
    });
  }
}
