import type {
  Entry,
  HardState,
  LogIndex,
  Membership,
  Message,
  NodeId,
  RaftStatus,
  ReadState,
  SnapshotMeta,
  SoftState,
} from "@quorate/raft";
import type { Applier } from "./applier.ts";
import type { ClientGateway } from "./client/client-gateway.ts";
import { countUnderWay } from "./count-under-way.ts";
import type { DiskHealth } from "./disk-health.ts";
import type { ServerError } from "./errors.ts";
import type { LeaderDuties } from "./leader-duties.ts";
import type { Leadership } from "./leadership.ts";
import type { NodeMembership } from "./membership/node-membership.ts";
import type { TickSpan } from "./node-loop.ts";
import { NodeParts, type NodeHooks } from "./node-parts.ts";
import type { NodeStorage } from "./node-storage.ts";
import type { UnderWay } from "./observe/under-way.ts";
import type { PeerEnvelope } from "./peer/envelope.ts";
import type { Proposals } from "./proposals.ts";
import type { Readiness } from "./readiness.ts";
import type { RunningNodeOptions } from "./running-node-options.ts";

/** Ticks between two attempts to give a new ensemble its first leader. */
const FOUNDING_TICKS = 2;
/** Ticks between two looks at what membership needs. */
const MEMBERSHIP_TICKS = 10;

/** One member at work: who of its parts hears of what, and in which order. */
export class RunningNode implements NodeHooks {
  readonly #options: RunningNodeOptions;
  readonly #storage: NodeStorage;
  readonly #parts: NodeParts;
  #soft: SoftState;
  #ticks = 0;

  constructor(options: RunningNodeOptions) {
    const { opened } = options;
    this.#options = options;
    this.#storage = opened.storage;
    this.#soft = { role: "follower", leader: null, term: opened.initial.hardState.term };
    this.#parts = new NodeParts(options, this);
  }

  start(): void {
    const { members, loop, scrubber } = this.#parts;
    this.#storage.room.begin();
    this.#storage.openFiles.begin();
    members.start();
    loop.start();
    scrubber.start();
  }

  get status(): RaftStatus {
    return this.#parts.core.raft.status();
  }

  /** The encoded form of entries that are being sent to peers. */
  blockFor(entries: readonly Entry[]): Uint8Array {
    return this.#parts.loop.blockFor(entries);
  }

  get soft(): SoftState {
    return this.#soft;
  }

  /** It leads, and has applied what was there before. */
  get isLeading(): boolean {
    return this.#parts.duties.isActive;
  }

  get gateway(): ClientGateway {
    return this.#parts.gateway;
  }

  get leadership(): Leadership {
    return this.#parts.leadership;
  }

  get members(): NodeMembership {
    return this.#parts.members;
  }

  get applier(): Applier {
    return this.#parts.applier;
  }

  get proposals(): Proposals {
    return this.#parts.proposals;
  }

  get storage(): NodeStorage {
    return this.#storage;
  }

  get disk(): DiskHealth {
    return this.#parts.disk;
  }

  get checkpointIndex(): number {
    return this.#parts.snapshots.checkpointIndex;
  }

  underWay(): UnderWay {
    return countUnderWay(this.#parts, this.#options.peers.bufferedBytes());
  }

  get readiness(): Readiness {
    return this.#parts.readiness;
  }

  /** Reasons why linearizable requests would not be served now, as far as it knows without asking anybody. */
  notReady(): readonly string[] {
    const { readiness, disk } = this.#parts;
    return [...readiness.reasons(), ...disk.notReady()];
  }

  /** See {@link NodeBackups.begin}. */
  backup(isLocal: boolean): Promise<AsyncIterable<Uint8Array>> {
    return this.#parts.backups.begin(isLocal);
  }

  async stop(): Promise<void> {
    const { gateway, backups, exchange, loop, core, snapshots, scrubber, repair, departures } =
      this.#parts;
    gateway.stop();
    this.#parts.readiness.stop();
    repair.stop();
    departures.stop();
    exchange.stop();
    // Before anything is waited for: who leaves must not be counted on by others while its disk hangs.
    loop.stop();
    await backups.stop();
    const traced = core.endTrace();
    // A checkpoint that is waited for may itself wait for a file.
    this.#storage.openFiles.end();
    await snapshots.stop();
    this.#storage.room.end();
    await loop.settled();
    await this.#options.reserve.close();
    await scrubber.stop();
    await this.#storage.close();
    await traced;
  }

  // What peers say.

  onEnvelope(from: NodeId, envelope: PeerEnvelope): void {
    const parts = this.#parts;
    switch (envelope.kind) {
      case "raft":
        parts.loop.push({ kind: "message", message: envelope.message });
        return;
      case "proposals":
        parts.exchange.take(from, envelope.batch, envelope.commands);
        return;
      case "proposalsRefused":
        parts.exchange.onRefusal(envelope);
        return;
      case "touches":
        parts.duties.onTouches(from, envelope.batch, envelope.sessions);
        return;
      case "touchesNoted":
        if (from === this.#soft.leader) parts.liveness.onNoted(envelope.batch, envelope.unknown);
        parts.loop.wake();
        return;
      case "snapshotChunk":
      case "snapshotAck":
        parts.snapshots.onEnvelope(from, envelope);
        return;
      case "disk":
        parts.disk.onPeerDisk(from, envelope.room);
        return;
      case "digest":
        parts.digests.onDigest(from, envelope.index, envelope.digest);
        return;
      case "joinRequest":
        parts.members.onJoinRequest(envelope.request, false);
        return;
      case "leave":
      case "leaveAnswer":
        parts.departures.onEnvelope(from, envelope);
        return;
    }
  }

  onPeerDown(peer: NodeId): void {
    this.#parts.snapshots.onPeerDown(peer);
    this.#parts.loop.push({ kind: "peerUnreachable", peer });
  }

  /** The way to a peer is new: what was under way on the old one may be lost. */
  onPeerUp(peer: NodeId): void {
    if (peer === this.#soft.leader) this.#parts.proposals.resendAll();
    this.#parts.exchange.onPeerUp(peer);
    this.#parts.disk.onPeerUp(peer);
    this.#parts.loop.wake();
  }

  // What the loop asks for.

  gather(): void {
    const { proposals, reads, liveness } = this.#parts;
    this.#options.metrics.counters.turns += 1;
    proposals.flush();
    reads.flush();
    liveness.flush();
  }

  onSoftState(state: SoftState): void {
    const { metrics, logger, self } = this.#options;
    const { members, duties, proposals, liveness, loop } = this.#parts;
    const before = this.#soft;
    this.#soft = state;
    if (state.leader !== before.leader) {
      metrics.counters.leaderChanges += 1;
      const leader = members.nameOf(state.leader);
      logger.info({ role: state.role, term: state.term, leader }, "the leader changed");
    }
    if (state.role === "candidate") metrics.counters.elections += 1;
    duties.onSoftState(state);
    proposals.setLeader(state.leader, state.leader === self.id, state.term);
    liveness.setLeader(state.leader);
    loop.wake();
  }

  onMembership(membership: Membership, index: LogIndex): void {
    const { members, gateway } = this.#parts;
    const before = members.clientAddresses;
    members.onApplied(membership, index);
    if (members.clientAddresses.join() !== before.join()) gateway.tellServers();
  }

  onHardState(state: HardState): Promise<void> {
    return this.#storage.recordVote(state);
  }

  send(message: Message): void {
    if (message.kind === "installSnapshot") this.#parts.snapshots.transfer(message);
    else this.#options.peers.send(message.to, { kind: "raft", message });
  }

  installSnapshot(meta: SnapshotMeta): void {
    this.#parts.snapshots.install(meta);
    this.onMembership(meta.membership, meta.index);
  }

  apply(entries: readonly Entry[]): void {
    this.#parts.applier.apply(entries);
    const { counters, applyBatch } = this.#options.metrics;
    counters.entriesApplied += entries.length;
    applyBatch.observe(entries.length);
    this.#parts.snapshots.onApplied();
  }

  onReadState(state: ReadState): void {
    this.#parts.reads.onReadState(state);
    // What has gathered meanwhile is the next request, within the same turn.
    this.#parts.reads.flush();
  }

  stamp(): ReturnType<LeaderDuties["stamp"]> {
    return this.#parts.duties.stamp();
  }

  flush(): void {
    const { conflict } = this.#parts.core.raft;
    if (conflict !== null) {
      this.#halt();
      this.#parts.disputes.onConflict(conflict);
      return;
    }
    this.#parts.gateway.flush();
    this.#options.peers.flush();
  }

  onTick({ elapsedMs, stalledMs, admittedMs }: TickSpan): void {
    const { logger, metrics } = this.#options;
    if (stalledMs > 0) {
      metrics.counters.stalls += 1;
      logger.warn({ stalledMs: Math.round(stalledMs) }, "the process stood still");
    }
    const { reads, duties, gateway, snapshots, disk } = this.#parts;
    const { members, leadership, departures, disputes } = this.#parts;
    this.#ticks += 1;
    reads.retry();
    duties.onTick(stalledMs > 0 ? 0 : admittedMs);
    gateway.onTick();
    snapshots.onTick();
    // A log that waits for room gets it only if the disk is looked at meanwhile.
    disk.onTick(elapsedMs);
    if (this.#ticks % MEMBERSHIP_TICKS === 0) {
      members.keep();
      leadership.keep();
      departures.keep();
      disputes.keep(this.status);
    }
    if (this.#soft.term === 0 && this.#ticks % FOUNDING_TICKS === 0) this.#found();
  }

  onPersisted(durationMs: number): void {
    this.#options.metrics.counters.walWrites += 1;
    this.#options.metrics.walWriteMs.observe(durationMs);
  }

  onDamage(error: ServerError): void {
    this.#parts.repair.onDamage(error);
  }

  onFatal(error: unknown): void {
    this.#halt();
    this.#options.onFatal(error);
  }

  /** Nobody is told anything any more. */
  #halt(): void {
    this.#parts.loop.stop();
    this.#parts.exchange.stop();
    this.#parts.gateway.abort();
  }

  /** In an ensemble without any past one member asks around early: nobody has to wait out a timeout. */
  #found(): void {
    const { voters } = this.#parts.members.current;
    const { id } = this.#options.self;
    if (voters.every((voter) => voter >= id)) this.#parts.loop.push({ kind: "campaign" });
  }
}
