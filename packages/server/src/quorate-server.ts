import type { Member, Membership, NodeId } from "@quorate/raft";
import { closeInOrder } from "./close-in-order.ts";
import type { ServerConfig } from "./config.ts";
import { DiskReserve } from "./disk-reserve.ts";
import { ServerError, asError } from "./errors.ts";
import { decodeImageMeta } from "./image/image-meta.ts";
import { HAND_OVER_MS } from "./leadership.ts";
import { Acquaintances } from "./membership/acquaintances.ts";
import { Admission, type Belonging } from "./membership/admission.ts";
import { encodeFormation, Formation } from "./membership/formation.ts";
import {
  readMemberCommand,
  readNodeName,
  type MemberCommand,
} from "./membership/member-command.ts";
import type { MemberPlan } from "./membership/member-plan.ts";
import { withRemovalAdvice } from "./membership/removal-advice.ts";
import { NodeStorage, openIdentity } from "./node-storage.ts";
import { createAdminHandler, type NodeStatus } from "./observe/admin-http.ts";
import type { Logger } from "./observe/logger.ts";
import { Metrics } from "./observe/metrics.ts";
import { RuntimeMonitor } from "./observe/runtime-monitor.ts";
import type { PeerEnvelope } from "./peer/envelope.ts";
import { PeerNetwork, type PeerTarget } from "./peer/peer-network.ts";
import type { Connection, Listener, ServerPorts } from "./ports.ts";
import { withDamageAdvice } from "./recovery/damage-advice.ts";
import { hasSetAside, isRepairable, setAside } from "./recovery/set-aside.ts";
import { refuseOtherLimits, replicatedLimits } from "./replicated-limits.ts";
import { RunningNode } from "./running-node.ts";
import { nodeGauges } from "./server-gauges.ts";
import { nodeStatus } from "./server-status.ts";
import { encodeEntries } from "./storage/entry-codec.ts";
import type { IdentityFile } from "./storage/identity.ts";
import { makeDataDirectory } from "./storage/make-data-directory.ts";
import type { CoreRecorder } from "./trace/recorded-core.ts";
import { checkAddresses } from "./transport/check-addresses.ts";
import { SERVER_VERSION } from "./version.ts";

/** What a server is started with. */
export interface QuorateServerOptions {
  readonly config: ServerConfig;
  readonly ports: ServerPorts;
  readonly logger: Logger;
  /** True for a server that has its process to itself: event-loop delay and garbage collection are then its own. */
  readonly ownsProcess: boolean;
  /** Lines that the logger gave up so far, for the metrics. Default: none ever. */
  readonly logLinesDropped?: () => number;
  /** Told everything that happens to the core, in the place of the configured trace. */
  readonly recorder?: CoreRecorder;
}

/** How long `/readyz` waits for the leader's word: probes have a second in most places. */
const READY_MS = 800;
/** How long `/status` does, which is asked when something is wrong. */
const STATUS_MS = 200;
/** Whoever stops a service gives it 10 s or more (Docker) before it is killed: what hangs by then is left behind. */
const STOP_MS_MAX = 9_000;

/**
 * One node of an ensemble, from its data directory to its listeners. `start` resolves once it listens; it serves as soon
 * as the ensemble is formed and has a leader (`notReady()` tells). `stopped` settles when it has ended, with the reason if
 * it was not asked to.
 */
export class QuorateServer implements AsyncDisposable {
  /** Resolves with null after `stop()`, with the reason when the node had to give up. */
  readonly stopped: Promise<Error | null>;
  readonly #options: QuorateServerOptions;
  readonly #identity: IdentityFile;
  readonly #self: Member;
  readonly #metrics: Metrics;
  readonly #monitor: RuntimeMonitor | null;
  readonly #acquaintances = new Acquaintances();
  readonly #admission: Admission;
  readonly #network: PeerNetwork;
  readonly #startedMs: number;
  #listener: Listener | null = null;
  #node: RunningNode | null = null;
  #starting: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;
  #settle: (reason: Error | null) => void = () => undefined;
  #failure: Error | null = null;

  private constructor(options: QuorateServerOptions, identity: IdentityFile) {
    const { config, ports } = options;
    this.#options = options;
    this.#identity = identity;
    this.#startedMs = ports.clock.nowMs();
    this.stopped = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#self = {
      id: identity.current.nodeId,
      name: config.name,
      peerAddress: config.peer.advertise,
      clientAddress: config.client.advertise,
      promotion: { kind: "none" },
    };
    this.#monitor = options.ownsProcess ? new RuntimeMonitor() : null;
    const monitor = this.#monitor;
    this.#metrics = new Metrics({
      node: config.name,
      version: SERVER_VERSION,
      gauges: () => nodeGauges(this.status(), this.#node, options.logLinesDropped?.() ?? 0),
      runtime: monitor === null ? null : () => monitor.sample(),
    });
    this.#admission = this.#createAdmission();
    this.#network = this.#createNetwork();
  }

  /**
   * Opens the data directory and the listeners. Where the data are damaged and there are peers to learn from, it sets them
   * aside and comes back as a new member, unless `repair` is off. Rejects with a `ServerError` and leaves nothing open.
   */
  static async start(options: QuorateServerOptions): Promise<QuorateServer> {
    const { config, ports, logger } = options;
    for (const warning of config.warnings) logger.warn({}, warning);
    try {
      return await QuorateServer.#start(options);
    } catch (error) {
      if (!isRepairable(error, config)) throw withDamageAdvice(error, config);
      const kept = await setAside(ports.files, config.dataDirectory);
      logger.error(
        { error, kept },
        "the data are damaged: they are set aside, the node comes back as a new member",
      );
      return QuorateServer.#start(options);
    }
  }

  static async #start(options: QuorateServerOptions): Promise<QuorateServer> {
    const { config, ports } = options;
    await makeDataDirectory(ports.files, config.dataDirectory);
    // Not a founding member any more: several such nodes would found an ensemble without what they held.
    const entrance = (await hasSetAside(ports.files, config.dataDirectory))
      ? "rejoin"
      : config.entrance;
    const { dataDirectory, name } = config;
    // Who cannot listen is nobody yet: its directory would belong to a node that never was.
    const identity = await openIdentity(ports, dataDirectory, name, () =>
      checkAddresses(ports.transport, [config.client.listen, config.peer.listen]),
    );
    const server = new QuorateServer({ ...options, config: { ...config, entrance } }, identity);
    try {
      await server.#open();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async #open(): Promise<void> {
    const { config, ports, logger } = this.#options;
    const { belonging } = this.#admission;
    if (belonging !== null) await this.#startNode(belonging);
    await this.#network.start();
    // A node that was started has said whom it dials.
    if (belonging === null) this.#network.setMembers(this.#configuredTargets());
    const listener = await ports.transport.listen({
      host: config.client.listen.host,
      port: config.client.listen.port,
      frameBytesMax: config.limits.client.frameBytesMax,
      firstFrameBytesMax: config.limits.client.helloBytesMax,
      unfinishedBytesMax: config.limits.client.unfinishedBytesMax,
      connectionsMax: config.limits.client.connectionsMax,
      otherSocketsMax: config.limits.client.otherSocketsMax,
      allowedOrigins: config.allowedOrigins,
      http: this.#adminHandler(),
      accept: (connection) => this.#accept(connection),
    });
    if (this.#stopping !== null) {
      await listener.close();
      throw this.#failure ?? new ServerError("STOPPED", "stopped while it started");
    }
    this.#listener = listener;
    logger.info(
      {
        name: config.name,
        id: this.#self.id,
        clients: config.client.advertise,
        data: config.dataDirectory,
      },
      this.#admission.waitingFor ?? "started",
    );
    this.#admission.tryForm();
  }

  /** Port of the client listener; differs from the configured one where that is 0. */
  get clientPort(): number {
    return this.#listener?.port ?? this.#options.config.client.listen.port;
  }

  /**
   * Reasons why linearizable requests are not served now; empty when they are. Asks the leader how far it is, and goes by
   * what it has said last: to be called until it is empty.
   */
  notReady(): readonly string[] {
    this.#node?.readiness.ask();
    return this.#reasons();
  }

  #reasons(): readonly string[] {
    if (this.#failure !== null) return [this.#failure.message];
    if (this.#stopping !== null) return ["stopping"];
    if (this.#node === null) return [this.#admission.waitingFor ?? "the node is starting"];
    return this.#node.notReady();
  }

  /** Asks nobody: its `notReady` goes by what the leader has said last. */
  status(): NodeStatus {
    return nodeStatus({
      node: this.#node,
      self: this.#self,
      belonging: this.#admission.belonging,
      uptimeMs: this.#options.ports.clock.nowMs() - this.#startedMs,
      priority: this.#options.config.priority,
      connectedPeers: this.#network.connectedNames,
      notReady: this.#reasons(),
      warnings: this.#options.config.warnings,
    });
  }

  /**
   * Begins a change of the members on the node that leads, or with `dryRun` only tells what it would do. Throws NOT_READY,
   * NOT_LEADER, MEMBER_UNKNOWN, MEMBER_EXISTS, QUORUM_AT_RISK and CHANGE_PENDING.
   */
  changeMembers(
    command: MemberCommand,
    { dryRun = false }: { readonly dryRun?: boolean } = {},
  ): MemberPlan {
    return this.#servingNode().members.command(command, dryRun);
  }

  /**
   * On the node that leads: has the voter called `name` lead, or for null the best successor; resolves with who does.
   * Rejects with NOT_READY, NOT_LEADER, MEMBER_UNKNOWN and TRANSFER_FAILED.
   */
  async transferLeadership(name: string | null): Promise<string> {
    return this.#servingNode().leadership.transfer(name);
  }

  /**
   * A backup file of everything that was acknowledged before the call, piece by piece; with `isLocal` of what this node has
   * applied, which works without a quorum. Rejects with NOT_READY, OVERLOADED, STORAGE_FULL, STOPPED, and what reading the image
   * may fail with: STORAGE_FAILED, IMAGE_CORRUPT. One that is not read for a minute is given up.
   */
  async backup({ isLocal = false }: { readonly isLocal?: boolean } = {}): Promise<
    AsyncIterable<Uint8Array>
  > {
    return this.#servingNode().backup(isLocal);
  }

  /** Hands leadership over unless told not to, says goodbye to clients, closes everything. Idempotent. */
  stop({ handOver = true }: { readonly handOver?: boolean } = {}): Promise<void> {
    this.#stopping ??= this.#stop(handOver);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(handOver: boolean): Promise<void> {
    const failure = await closeInOrder(this.#options.ports.clock, STOP_MS_MAX, [
      () => this.#starting ?? undefined,
      () => (handOver ? this.#handOver() : undefined),
      () => this.#node?.stop(),
      () => this.#listener?.close(),
      () => this.#network[Symbol.asyncDispose](),
      () => this.#identity.close(),
    ]);
    this.#failure ??= failure;
    this.#monitor?.[Symbol.dispose]();
    this.#settle(this.#failure);
  }

  async #handOver(): Promise<void> {
    await this.#node?.leadership.handOver(HAND_OVER_MS);
  }

  /** `handOver`: it could still lead, but may not. */
  #fail(error: unknown, handOver = false): void {
    if (this.#failure !== null || this.#stopping !== null) return;
    const { config } = this.#options;
    this.#failure = asError(withRemovalAdvice(withDamageAdvice(error, config), config.name));
    this.#options.logger.error({ error: this.#failure }, "the node cannot go on and stops");
    void this.stop({ handOver });
  }

  // The ensemble.

  #createAdmission(): Admission {
    const { config } = this.#options;
    const names = config.members.map((member) => member.name);
    return new Admission({
      self: this.#self,
      entrance: config.entrance,
      priority: config.priority,
      formation: new Formation(names, this.#self),
      limits: config.limits.tree,
      timing: config.timing,
      belonging: knownBelonging(this.#identity),
      acquaintances: this.#acquaintances,
      ports: {
        members: () => this.#node?.members.reachable ?? this.#membership().members,
        appliedIndex: () => this.#appliedIndex(),
        leads: () => this.#node?.isLeading ?? false,
        isLed: () => this.#isLed(),
        onJoinRequest: (request) => this.#node?.members.onJoinRequest(request, true),
        onAcquainted: () => this.#onAcquainted(),
        onFormed: (belonging) => this.#onFormed(belonging),
        onWarning: (text) => this.#options.logger.warn({}, text),
        onRefused: (error) => this.#fail(error),
      },
    });
  }

  #membership(): Membership {
    if (this.#node !== null) return this.#node.members.current;
    const belonging = this.#admission.belonging;
    if (belonging !== null) return belonging.formation.membership;
    return { voters: [], outgoingVoters: [], learners: [], members: [this.#self] };
  }

  #isLed(): boolean {
    const leader = this.#node?.soft.leader ?? null;
    return leader !== null && leader !== this.#self.id;
  }

  /** While it has no node yet it is told with its start whom it has met. */
  #onAcquainted(): void {
    if (this.#node === null) this.#network.setMembers(this.#configuredTargets());
    else this.#node.members.onAcquainted();
  }

  #appliedIndex(): number | null {
    const node = this.#node;
    const isKnown = node !== null && node.members.belongs;
    return isKnown ? node.applier.appliedIndex : this.#identity.current.memberSince;
  }

  #onFormed(belonging: Belonging): void {
    this.#options.logger.info({ clusterId: belonging.clusterId }, "the ensemble is formed");
    this.#starting = this.#begin(belonging).catch((error: unknown) => this.#fail(error));
  }

  async #begin(belonging: Belonging): Promise<void> {
    const { clusterId, historyId, formation: snapshot } = belonging;
    const formation = encodeFormation({ clusterId, historyId, snapshot });
    const limits = replicatedLimits(this.#options.config.limits.tree);
    await this.#identity.update({ clusterId, historyId, formation, limits });
    // Who was met before this node belonged to an ensemble may belong to another one.
    this.#network.greetAnew();
    await this.#startNode(belonging);
  }

  async #startNode(belonging: Belonging): Promise<void> {
    const { config, ports, logger } = this.#options;
    refuseOtherLimits(this.#identity.current.limits, config.limits.tree);
    const reserve = new DiskReserve(ports.files, config.dataDirectory, config.limits.disk);
    await reserve.open();
    const opened = await NodeStorage.open(ports, config.dataDirectory, this.#identity, {
      formation: belonging.formation,
      limits: config.limits.tree,
      segmentBytes: config.limits.storage.segmentBytes,
      logger,
    });
    const { recovered, initial } = opened;
    const { records, torn } = recovered;
    logger.info(
      { records, torn, image: initial.snapshot.index, entries: initial.entries.length },
      "the log and the image are read",
    );
    if (this.#stopping !== null) {
      await opened.storage.close();
      return;
    }
    this.#node = new RunningNode({
      config,
      ports,
      logger,
      metrics: this.#metrics,
      self: this.#self,
      belonging,
      opened,
      reserve,
      recorder: this.#options.recorder ?? null,
      acquaintances: this.#acquaintances,
      priorityOf: (id) => this.#admission.priorityOf(id),
      peers: {
        send: (to, envelope) => this.#network.send(to, envelope),
        isUp: (to) => this.#network.isUp(to),
        flush: () => this.#network.flush(),
        bufferedBytes: () => this.#network.bufferedBytesTotal,
        setTargets: (targets) => this.#network.setMembers(targets),
      },
      onFatal: (error) => this.#fail(error),
      onDamage: (error) => this.#fail(error, true),
    });
    this.#node.start();
  }

  // The peers.

  #createNetwork(): PeerNetwork {
    const { config, ports, logger } = this.#options;
    return new PeerNetwork({
      transport: ports.transport,
      clock: ports.clock,
      random: ports.random,
      listen: config.peer.listen,
      limits: config.limits.peer,
      logger,
      counters: this.#metrics.counters,
      self: { nodeId: this.#self.id, name: this.#self.name },
      blockFor: (entries) => this.#node?.blockFor(entries) ?? encodeEntries(entries),
      hooks: {
        hello: () => this.#admission.hello(),
        onHello: (hello) => this.#admission.onHello(hello),
        onWelcome: (member, welcome) => this.#admission.onWelcome(member.name, welcome),
        onFrame: (from, envelopes) => this.#onFrame(from, envelopes),
        onLinkUp: (peer) => this.#node?.onPeerUp(peer),
        onLinkDown: (peer) => this.#node?.onPeerDown(peer),
      },
    });
  }

  #onFrame(from: NodeId, envelopes: readonly PeerEnvelope[]): void {
    const node = this.#node;
    if (node === null) return;
    for (const envelope of envelopes) node.onEnvelope(from, envelope);
  }

  /** Before there is a formation the members' ids are not known: links are made by name and address. */
  #configuredTargets(): readonly PeerTarget[] {
    const targets = new Map<string, PeerTarget>();
    for (const { name, peerAddress } of this.#options.config.members) {
      targets.set(name, { id: null, name, peerAddress });
    }
    for (const member of this.#acquaintances.members) {
      if (!targets.has(member.name)) targets.set(member.name, member);
    }
    return [...targets.values()];
  }

  // The clients.

  #accept(connection: Connection): void {
    const node = this.#stopping === null ? this.#node : null;
    if (node?.disk.isStanding === false) node.gateway.accept(connection);
    else connection.destroy();
  }

  #adminHandler(): ReturnType<typeof createAdminHandler> {
    return createAdminHandler({
      notAlive: () => (this.#failure === null ? [] : [this.#failure.message]),
      notReady: async () => {
        await this.#node?.readiness.look(READY_MS);
        return this.#reasons();
      },
      status: async () => {
        await this.#node?.readiness.look(STATUS_MS);
        return this.status();
      },
      metrics: () => this.#metrics.expose(),
      backup: (isLocal) => this.backup({ isLocal }),
      changeMembers: (command, dryRun) =>
        this.changeMembers(readMemberCommand(command), { dryRun }),
      transferLeadership: async (to) => this.transferLeadership(readNodeName(to)),
      leaderAddress: () => this.#leaderAddress(),
    });
  }

  #leaderAddress(): string | null {
    const node = this.#node;
    return node === null ? null : node.members.clientAddressOf(node.soft.leader);
  }

  /** Throws NOT_READY. */
  #servingNode(): RunningNode {
    const node = this.#stopping === null ? this.#node : null;
    if (node === null) throw new ServerError("NOT_READY", this.#reasons().join("; "));
    return node;
  }
}

function knownBelonging(identity: IdentityFile): Belonging | null {
  const { clusterId, historyId, formation } = identity.current;
  if (formation === null || clusterId === "") return null;
  return { clusterId, historyId, formation: decodeImageMeta(formation).snapshot };
}
