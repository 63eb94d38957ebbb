import type { LogIndex, Membership, NodeId, RaftStatus, SoftState } from "@quorate/raft";
import { Applier } from "./applier.ts";
import { NodeBackups } from "./backup/node-backups.ts";
import { ClientGateway } from "./client/client-gateway.ts";
import { DigestExchange } from "./digest-exchange.ts";
import { DiskHealth } from "./disk-health.ts";
import { DiskWatch } from "./disk-watch.ts";
import { isDamage, ServerError } from "./errors.ts";
import { NodeSnapshots } from "./image/node-snapshots.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { Leadership } from "./leadership.ts";
import { Liveness } from "./liveness.ts";
import { NodeMembership } from "./membership/node-membership.ts";
import { NodeLoop, type LoopHooks } from "./node-loop.ts";
import { drawNonce } from "./nonce.ts";
import type { PeerEnvelope } from "./peer/envelope.ts";
import { ProposalExchange } from "./proposal-exchange.ts";
import { ProposalIntake } from "./proposal-intake.ts";
import { Proposals } from "./proposals.ts";
import { Readiness } from "./readiness.ts";
import { ReadIndexes, type WaitingRead } from "./reads.ts";
import { DamageRepair } from "./recovery/damage-repair.ts";
import { Departures } from "./recovery/departures.ts";
import { LogDisputes } from "./recovery/log-disputes.ts";
import type { RunningNodeOptions } from "./running-node-options.ts";
import { Scrubber } from "./scrub/scrubber.ts";
import { startCore, type StartedCore } from "./trace/start-core.ts";

/** What the parts tell the node that they are of: what its loop asks for, and what concerns more than one of them. */
export interface NodeHooks extends LoopHooks {
  /** As the core last told it. */
  readonly soft: SoftState;
  onMembership(membership: Membership, index: LogIndex): void;
}

/**
 * The parts around the spine of a node, each made with what it needs of the others. Decisions are in the parts; who hears of
 * what, and in which order, is in the node.
 */
export class NodeParts {
  readonly core: StartedCore;
  readonly intake: ProposalIntake;
  readonly reads: ReadIndexes;
  readonly readiness: Readiness;
  readonly proposals: Proposals;
  readonly disk: DiskHealth;
  readonly exchange: ProposalExchange;
  readonly liveness: Liveness;
  readonly duties: LeaderDuties;
  readonly leadership: Leadership;
  readonly members: NodeMembership;
  readonly digests: DigestExchange;
  readonly gateway: ClientGateway;
  readonly applier: Applier;
  readonly snapshots: NodeSnapshots;
  readonly departures: Departures;
  readonly disputes: LogDisputes;
  readonly repair: DamageRepair;
  readonly backups: NodeBackups;
  readonly scrubber: Scrubber;
  readonly loop: NodeLoop;
  readonly #options: RunningNodeOptions;
  readonly #hooks: NodeHooks;

  constructor(options: RunningNodeOptions, hooks: NodeHooks) {
    const { config, ports, opened, self } = options;
    this.#options = options;
    this.#hooks = hooks;
    this.core = startCore({ ...options, initial: opened.initial });
    this.intake = new ProposalIntake(config.limits.intake);
    this.reads = new ReadIndexes(drawNonce(ports.random), {
      requestIndex: (context) => void this.loop.step({ kind: "readIndex", context }),
    });
    this.readiness = this.#createReadiness();
    this.proposals = new Proposals(config.limits.proposals, {
      toSelf: (batch, commands) => this.exchange.take(self.id, batch, commands),
      toLeader: (leader, batch, commands) => this.exchange.sendTo(leader, batch, commands),
      nowMs: () => ports.clock.nowMs(),
      onCommitted: (durationMs) => options.metrics.commitMs.observe(durationMs),
    });
    this.disk = this.#createDisk();
    this.exchange = this.#createExchange();
    this.liveness = new Liveness({
      nowMs: () => ports.clock.nowMs(),
      sendTouches: (leader, batch, sessions) => this.#sendTouches(leader, batch, sessions),
    });
    this.duties = this.#createDuties();
    this.leadership = this.#createLeadership();
    this.members = this.#createMembership();
    this.digests = this.#createDigests();
    this.gateway = this.#createGateway();
    this.applier = new Applier(opened.tree, opened.initial.snapshot, {
      gateway: this.gateway,
      duties: this.duties,
      digests: this.digests,
      onMembership: ({ membership, index }) => hooks.onMembership(membership, index),
    });
    this.snapshots = this.#createSnapshots();
    this.departures = this.#createDepartures();
    this.disputes = this.#createDisputes();
    this.repair = this.#createRepair();
    this.backups = this.#createBackups();
    this.scrubber = this.#createScrubber();
    this.loop = this.#createLoop();
  }

  /** Outside of a turn: one follows, at the end of which it leaves. False: there is no way to send it. */
  #send(to: NodeId, envelope: PeerEnvelope): boolean {
    const isSent = this.#options.peers.send(to, envelope);
    this.loop.wake();
    return isSent;
  }

  #sendTouches(leader: NodeId, batch: number, sessions: readonly number[]): void {
    if (leader === this.#options.self.id) this.duties.onTouches(leader, batch, sessions);
    else this.#options.peers.send(leader, { kind: "touches", batch, sessions });
  }

  #answerTouches(to: NodeId, batch: number, unknown: readonly number[]): void {
    if (to === this.#options.self.id) this.liveness.onNoted(batch, unknown);
    else this.#options.peers.send(to, { kind: "touchesNoted", batch, unknown });
  }

  #confirm(read: WaitingRead): void {
    this.reads.add(read);
    this.loop.wake();
  }

  #createLoop(): NodeLoop {
    const { config, ports, opened } = this.#options;
    return new NodeLoop(
      {
        raft: this.core.loopCore,
        log: opened.storage,
        clock: ports.clock,
        intake: this.intake,
        tickMs: config.timing.tickMs,
        hasLeases: config.leaseReads,
        hooks: this.#hooks,
      },
      opened.initial.hardState,
    );
  }

  #createReadiness(): Readiness {
    return new Readiness({
      clock: this.#options.ports.clock,
      soft: () => this.#hooks.soft,
      commitIndex: () => this.core.raft.status().commitIndex,
      applied: () => this.applier,
      confirm: (read) => this.#confirm(read),
    });
  }

  #createDisk(): DiskHealth {
    const { config, ports, reserve, self, logger, peers, opened } = this.#options;
    return new DiskHealth({
      self: self.id,
      watch: new DiskWatch(ports.files, config.dataDirectory, config.limits.disk, reserve),
      logger,
      membership: () => this.members.current,
      isPeer: (id) => this.members.isPeer(id),
      isWaiting: () => opened.storage.room.isWaiting,
      isOutOfFiles: () => opened.storage.openFiles.isWaiting,
      isStuck: () => this.loop.isPersisting && isLeftBehind(this.core.raft.status()),
      onStanding: (why) => this.gateway.sendAway("NOT_READY", why),
      tell: (peer, room) => peers.send(peer, { kind: "disk", room }),
    });
  }

  #createDuties(): LeaderDuties {
    const { ports } = this.#options;
    return new LeaderDuties({
      clock: ports.clock,
      wallClock: ports.wallClock,
      intake: this.intake,
      tree: () => this.applier.tree,
      confirm: (read) => this.#confirm(read),
      answerTouches: (to, batch, unknown) => this.#answerTouches(to, batch, unknown),
    });
  }

  #createMembership(): NodeMembership {
    const { self, belonging, opened, config, logger, peers, ports, acquaintances } = this.#options;
    return new NodeMembership({
      self,
      initial: opened.initial.snapshot.membership,
      founders: belonging.formation.membership,
      configured: config.members,
      acquaintances,
      logger,
      electionTimeoutMs: config.timing.electionTimeoutMs,
      ports: {
        nowMs: () => ports.clock.nowMs(),
        status: () => this.core.raft.status(),
        isLeading: () => this.duties.isActive,
        step: (input) => this.loop.stepNow(input),
        successor: (mayLead) => this.leadership.successor(mayLead),
        send: (to, envelope) => void peers.send(to, envelope),
        setTargets: (targets) => peers.setTargets(targets),
        onMember: (index) =>
          void opened.storage.noteMember(index).catch((error) => this.#hooks.onFatal(error)),
        onRemoved: (error) => this.#hooks.onFatal(error),
      },
    });
  }

  #createExchange(): ProposalExchange {
    const { config, self, ports, peers, metrics } = this.#options;
    return new ProposalExchange({
      self: self.id,
      clock: ports.clock,
      proposals: this.proposals,
      intake: this.intake,
      commandBytesMax: config.limits.raft.entryBytesMax,
      isPeer: (id) => this.members.isPeer(id),
      isLeader: () => this.#hooks.soft.role === "leader",
      isDiskFull: () => this.disk.refusesGrowth(),
      isDiskExhausted: () => this.disk.refusesSessions(),
      isApplied: (session, writeSeq) =>
        (this.applier.tree.session(session)?.lastWriteSeq ?? 0) >= writeSeq,
      send: (to, envelope) => peers.send(to, envelope),
      refuseWaiting: (refuse, code, retryAfterMs) =>
        this.gateway.refuseWaiting(refuse, code, retryAfterMs),
      onRefused: (count) => {
        metrics.counters.proposalsRefused += count;
      },
      wake: () => this.loop.wake(),
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
        this.#hooks.onFatal(new ServerError("DIGEST_MISMATCH", text));
      },
    });
  }

  #createGateway(): ClientGateway {
    const { config, ports, self, belonging, metrics } = this.#options;
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
      commandBytesMax: config.limits.raft.entryBytesMax,
      unreadBytesMax: config.limits.client.unreadBytesMax,
      watchLimits: config.limits.client,
      counters: metrics.counters,
      clock: ports.clock,
      proposals: this.proposals,
      reads: this.reads,
      liveness: this.liveness,
      tree: () => this.applier.tree,
      appliedIndex: () => this.applier.appliedIndex,
      wake: () => this.loop.wake(),
    });
  }

  #createSnapshots(): NodeSnapshots {
    const { config, ports, self, belonging, metrics, opened } = this.#options;
    return new NodeSnapshots({
      self: self.id,
      clock: ports.clock,
      limits: config.limits.tree,
      storage: opened.storage,
      metrics,
      clusterId: belonging.clusterId,
      historyId: belonging.historyId,
      firstTransfer: drawNonce(ports.random),
      storageLimits: config.limits.storage,
      checkpointIndex: opened.initial.snapshot.index,
      applier: () => this.applier,
      membership: () => this.members.current,
      status: () => this.core.raft.status(),
      freeBytes: () => this.disk.freeBytes,
      hasSpareRoom: (id) => this.disk.hasSpareRoom(id),
      send: (to, envelope) => void this.#send(to, envelope),
      push: (input) => this.loop.push(input),
      suspected: () => this.scrubber.lookNow(),
      failed: (error) => {
        if (isDamage(error)) this.repair.onDamage(error);
        else this.#hooks.onFatal(error);
      },
      fatal: (error) => this.#hooks.onFatal(error),
    });
  }

  #createRepair(): DamageRepair {
    const { config, ports, logger, onDamage } = this.#options;
    const isRepaired = config.repair && config.members.length > 1;
    return new DamageRepair({
      clock: ports.clock,
      logger,
      renewImage: () => this.snapshots.renewImage(),
      bringUpToDate: () => this.snapshots.bringUpToDate(),
      markImageDamaged: () => this.snapshots.markImageDamaged(),
      isImageDamaged: () => this.snapshots.isImageDamaged,
      onRenewed: () => this.scrubber.start(),
      // Where nothing is made good anyway, it is better known at once.
      mayLeave: async () => !isRepaired || this.departures.mayLeave(),
      giveUp: onDamage,
      fatal: (error) => this.#hooks.onFatal(error),
    });
  }

  #createDisputes(): LogDisputes {
    const { logger, opened, onDamage } = this.#options;
    return new LogDisputes({
      logger,
      storage: opened.storage,
      nameOf: (id) => this.members.nameOf(id),
      onDamage,
      onFatal: (error) => this.#hooks.onFatal(error),
    });
  }

  #createDepartures(): Departures {
    const { config, ports, peers } = this.#options;
    return new Departures({
      clock: ports.clock,
      electionTimeoutMs: config.timing.electionTimeoutMs,
      status: () => this.core.raft.status(),
      isUp: (id) => peers.isUp(id),
      hasRoom: (id) => this.disk.hasRoom(id),
      isStanding: () => this.disk.isStanding,
      ask: (leader, question) => this.#send(leader, { kind: "leave", question }),
      answer: (to, question, ok) => void this.#send(to, { kind: "leaveAnswer", question, ok }),
    });
  }

  #createBackups(): NodeBackups {
    const { config, ports } = this.#options;
    return new NodeBackups(
      {
        clock: ports.clock,
        confirm: (read) => this.#confirm(read),
        appliedIndex: () => this.applier.appliedIndex,
        openView: () => this.snapshots.openView(),
      },
      config.limits.storage.backupPieceBytes,
    );
  }

  #createLeadership(): Leadership {
    const { config, ports } = this.#options;
    return new Leadership(
      {
        clock: ports.clock,
        status: () => this.core.raft.status(),
        step: (input) => this.loop.stepNow(input),
        priorityOf: (id) => this.#options.priorityOf(id),
        ownPriority: config.priority,
        hasRoom: (id) => this.disk.hasRoom(id),
      },
      config.limits.preference,
    );
  }

  #createScrubber(): Scrubber {
    const { config, ports, opened, metrics, logger } = this.#options;
    return new Scrubber({
      clock: ports.clock,
      random: ports.random,
      intervalMs: config.scrubIntervalMs,
      scrub: (consume) => opened.storage.scrub(consume),
      onDamage: (error) => this.repair.onDamage(error),
      metrics,
      logger,
    });
  }
}

/** Its disk keeps it from what the others have committed. */
function isLeftBehind({ isDiskStuck, commitIndex, persistedIndex }: RaftStatus): boolean {
  return isDiskStuck && commitIndex > persistedIndex;
}
