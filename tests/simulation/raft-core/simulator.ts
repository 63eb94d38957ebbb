import {
  describeMembership,
  describeMessage,
  isMember,
  isVoter,
  logIndex,
  nodeId,
  term,
  type Membership,
  type Message,
  type NodeId,
  type Role,
} from "@quorate/raft";
import { AbstractRaft } from "../../specification/abstract-raft.ts";
import { membershipOf } from "../../support/members.ts";
import { Violation } from "../violation.ts";
import { Checker } from "./checker.ts";
import { SimDisk, type Image } from "./disk.ts";
import { SimNetwork } from "./network.ts";
import { SimNode, type NodeWorld } from "./node.ts";
import { coreConfig, tickUs, type RunProfile } from "./profile.ts";
import { SimRandom } from "./random.ts";
import { Schedule } from "./schedule.ts";

/** More events than this in one run, and something feeds on itself. */
const eventsMax = 2_000_000;
/** Lines of the trace that a failure shows. */
const traceLines = 60;
/** How long a healed ensemble may take to come to rest: some tens of election timeouts. */
const calmUs = 300 * tickUs;

/** What a run came to. */
export interface RunResult {
  readonly seed: number;
  readonly events: number;
  readonly messages: number;
  readonly elections: number;
  readonly committed: number;
  readonly reads: number;
  readonly crashes: number;
  readonly simulatedUs: number;
  /** Over everything that happened: equal for equal seeds. */
  readonly hash: number;
}

/** A run that broke a promise: which, when and how to see it again. */
export class RunFailure extends Error {
  override readonly name = "RunFailure";
  readonly seed: number;
  readonly invariant: string;

  constructor(seed: number, cause: unknown, trace: readonly string[]) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`seed ${seed}: ${reason}\n${trace.join("\n")}`, { cause });
    this.seed = seed;
    this.invariant = reason.split(":")[0] ?? reason;
  }
}

/** A whole ensemble of cores under faults drawn from one seed. */
export class Simulator {
  readonly #profile: RunProfile;
  readonly #schedule = new Schedule();
  readonly #checker = new Checker();
  readonly #specification = new AbstractRaft();
  readonly #network: SimNetwork;
  readonly #nodes = new Map<NodeId, SimNode>();
  readonly #disks = new Map<NodeId, SimDisk>();
  readonly #ids: readonly NodeId[];
  readonly #faults: SimRandom;
  readonly #diskChance: SimRandom;
  readonly #clients: SimRandom;
  readonly #rates = new Map<NodeId, number>();
  readonly #isTraced: boolean;
  readonly #trace: string[] = [];
  #isCalm = false;
  #crashes = 0;
  #commands = 0;
  #hash = 0;

  /** `isTraced`: a failure tells its last steps; runs are the same with and without. */
  constructor(profile: RunProfile, options: { readonly isTraced: boolean }) {
    this.#profile = profile;
    this.#isTraced = options.isTraced;
    const random = new SimRandom(profile.seed ^ 0x2545_f491);
    this.#network = new SimNetwork(profile, random.fork(), this.#schedule);
    this.#faults = random.fork();
    this.#diskChance = random.fork();
    this.#clients = random.fork();
    const count = profile.voters + profile.spares;
    this.#ids = Array.from({ length: count }, (_, at) => nodeId(at + 1));
    const formation = {
      index: logIndex(0),
      term: term(0),
      membership: membershipOf(this.#ids.slice(0, profile.voters), []),
    };
    for (const id of this.#ids) {
      const disk = new SimDisk(formation, { term: term(0), votedFor: null });
      this.#disks.set(id, disk);
      this.#nodes.set(id, new SimNode(coreConfig(profile, id), disk, this.#worldOf(id)));
      this.#rates.set(id, 1 + this.#drawOff() * profile.skew);
    }
  }

  /** Faults first, judged by safety alone; then peace, in which everything has to come to rest. */
  run(): RunResult {
    try {
      for (const node of this.#nodes.values()) node.start();
      this.#startActors();
      this.#advance(this.#profile.durationUs);
      this.#makePeace();
      this.#advance(this.#profile.durationUs + calmUs);
      this.#checkRest();
    } catch (error) {
      const nodes = [...this.#nodes.values()].map((node) => this.#describe(node));
      const lines = this.#isTraced ? [...this.#trace.slice(-traceLines), ...nodes] : [];
      throw new RunFailure(this.#profile.seed, error, lines);
    }
    let reads = 0;
    for (const node of this.#nodes.values()) reads += node.readsAnswered;
    return {
      seed: this.#profile.seed,
      events: this.#schedule.eventsRun,
      messages: this.#network.sent,
      elections: this.#checker.elections,
      committed: this.#checker.commitIndex,
      reads,
      crashes: this.#crashes,
      simulatedUs: this.#schedule.now,
      hash: this.#hash,
    };
  }

  #describe(node: SimNode): string {
    if (!node.isUp) return `${node.disk.describe(node.id)}, down`;
    const { membership, ...status } = node.core.status();
    return `${node.disk.describe(node.id)} voters ${membership.voters.join(",")} ${JSON.stringify(status)}`;
  }

  #advance(until: number): void {
    if (!this.#schedule.runUntil(until, eventsMax)) {
      throw new Violation("V3", `more than ${eventsMax} events`);
    }
  }

  #worldOf(id: NodeId): NodeWorld {
    const profile = this.#profile;
    return {
      schedule: this.#schedule,
      checker: this.#checker,
      disks: this.#disks,
      random: this.#diskChance,
      writeUs: () => this.#writeUs(),
      nowMs: () => 1_000 * id + (this.#schedule.now / 1_000) * this.#rateOf(id),
      tickUs: () => (this.#isCalm ? tickUs : tickUs / this.#rateOf(id)),
      turnUs: () => (profile.turnUs === 0 ? 0 : this.#diskChance.between(0, profile.turnUs)),
      applyDelayUs: () => (this.#isCalm ? 0 : profile.applyDelayUs),
      imageEvery: () => profile.imageEvery,
      keepBehind: () => profile.keepBehind,
      crashesNow: () => !this.#isCalm && profile.meanCrashUs > 0 && this.#faults.chance(0.0005),
      send: (message) => this.#send(message),
      sendImage: (message, image) => this.#sendImage(message, image),
      onRole: (node, role) => this.#onRole(node, role),
      onFirstCommit: (node) => this.#onFirstCommit(node),
      crash: (node) => this.#crash(node),
      trace: (line) => this.#note(line),
      onEvent: (node, event) => this.#specification.take(node, event),
    };
  }

  /** From -1 to 1, and mostly one of them: what a margin is for shows at its end. */
  #drawOff(): number {
    const random = this.#faults;
    return random.chance(0.8) ? random.pick([-1, 1]) : random.next() * 2 - 1;
  }

  #rateOf(id: NodeId): number {
    return this.#rates.get(id) ?? 1;
  }

  #writeUs(): number {
    if (this.#isCalm) return 200;
    const isSlow = this.#diskChance.chance(this.#profile.slowWrite);
    return this.#diskChance.around(isSlow ? this.#profile.slowWriteUs : this.#profile.writeUs);
  }

  /** Keeps a line of what happened, if anybody wants to read it. */
  #note(line: () => string): void {
    if (!this.#isTraced) return;
    this.#trace.push(`${(this.#schedule.now / 1_000).toFixed(1)} ${line()}`);
    if (this.#trace.length > 4 * traceLines) this.#trace.splice(0, 3 * traceLines);
  }

  #mix(value: number): void {
    this.#hash = (Math.imul(this.#hash ^ value, 0x0100_0193) + 0x9e37_79b9) >>> 0;
  }

  #deliver(message: Message): void {
    this.#mix(this.#schedule.now);
    this.#mix(message.term * 64 + message.from * 8 + message.to);
    this.#note(() => describeMessage(message));
  }

  #send(message: Message): void {
    this.#huntVoter(message);
    this.#network.carry(message.from, message.to, () => {
      const node = this.#nodes.get(message.to);
      if (node === undefined || !node.isUp) return;
      this.#deliver(message);
      node.step({ kind: "message", message });
    });
  }

  /** A transfer that ends well or not, and says so to the sender in either case. */
  #sendImage(message: Extract<Message, { kind: "installSnapshot" }>, image: Image | null): void {
    const { from, to } = message;
    const report = (ok: boolean): void => {
      const sender = this.#nodes.get(from);
      if (sender?.isUp === true) sender.step({ kind: "snapshotSent", to, ok });
    };
    let isDelivered = false;
    if (image !== null) {
      this.#network.carry(from, to, () => {
        const node = this.#nodes.get(to);
        if (node === undefined || !node.isUp) return;
        this.#deliver(message);
        node.receiveImage(message, image);
        if (!isDelivered) report(true);
        isDelivered = true;
      });
    }
    this.#schedule.after(20 * tickUs, () => {
      if (!isDelivered) report(false);
      isDelivered = true;
    });
  }

  #crash(id: NodeId): void {
    const node = this.#nodes.get(id);
    if (node === undefined || !node.isUp) return;
    this.#crashes += 1;
    this.#note(() => `crash ${id}`);
    node.stop();
    this.#breakLinksOf(id);
    this.#schedule.after(this.#faults.around(this.#profile.meanHealUs), () => this.#restart(id));
  }

  /** A process that ends closes its connections, and the others notice. */
  #breakLinksOf(id: NodeId): void {
    for (const node of this.#nodes.values()) {
      if (node.id === id || !this.#faults.chance(0.8)) continue;
      this.#schedule.after(this.#faults.around(1_000), () => {
        if (node.isUp) node.step({ kind: "peerUnreachable", peer: id });
      });
    }
  }

  #restart(id: NodeId): void {
    const node = this.#nodes.get(id);
    if (node === undefined || node.isUp) return;
    this.#note(() => `start ${id}, ${node.disk.describe(id)}`);
    node.start();
  }

  #onRole(id: NodeId, role: Role): void {
    this.#note(() => `${id} becomes ${role}`);
    const { hunterUs, strandUs, mute } = this.#profile;
    if (role !== "leader" || this.#isCalm) return;
    if (mute > 0 && this.#faults.chance(mute)) this.#isolate(id, "out");
    this.#strikeIn(strandUs, () => this.#isolate(id, "both"));
    this.#strikeIn(hunterUs, () => {
      if (this.#faults.chance(0.5)) this.#crash(id);
      else this.#isolate(id, this.#faults.pick(["both", "in", "out"]));
    });
  }

  /** After about that long; 0: never. */
  #strikeIn(meanUs: number, strike: () => void): void {
    if (meanUs === 0) return;
    this.#schedule.after(this.#faults.around(meanUs), () => {
      if (!this.#isCalm) strike();
    });
  }

  /** What a leader commits first in its term is where counting the wrong entries would show. */
  #onFirstCommit(id: NodeId): void {
    if (this.#profile.hunterUs === 0 || this.#isCalm || !this.#faults.chance(0.3)) return;
    this.#schedule.after(0, () => {
      if (!this.#isCalm) this.#crash(id);
    });
  }

  /** A vote is a promise: who loses power right after it has to remember. */
  #huntVoter(message: Message): void {
    if (this.#profile.hunterUs === 0 || this.#isCalm) return;
    const isVote = message.kind === "requestVoteReply" && message.granted;
    const isOwnVote = message.kind === "requestVote";
    if (!(isVote || isOwnVote) || message.preVote || !this.#faults.chance(0.2)) return;
    this.#schedule.after(this.#faults.between(0, 4_000), () => {
      if (!this.#isCalm) this.#crash(message.from);
    });
  }

  #isolate(id: NodeId, direction: "both" | "in" | "out"): void {
    this.#note(() => `cut ${direction} of ${id}`);
    for (const other of this.#ids) {
      if (other === id) continue;
      if (direction !== "in") this.#network.cut(id, other);
      if (direction !== "out") this.#network.cut(other, id);
    }
    if (this.#faults.chance(0.5)) this.#breakLinksOf(id);
    this.#schedule.after(this.#faults.around(this.#profile.meanHealUs), () => {
      this.#network.heal();
    });
  }

  #every(meanUs: number, random: SimRandom, act: () => void): void {
    if (meanUs === 0) return;
    this.#schedule.after(random.around(meanUs), () => {
      if (this.#isCalm) return;
      act();
      this.#every(meanUs, random, act);
    });
  }

  #startActors(): void {
    const profile = this.#profile;
    const { meanCrashUs, meanCutUs } = profile;
    this.#every(meanCrashUs, this.#faults, () => this.#crash(this.#faults.pick(this.#ids)));
    this.#every(meanCutUs, this.#faults, () => this.#cutSomewhere());
    this.#every(profile.meanProposalUs, this.#clients, () => this.#propose());
    this.#every(profile.meanReadUs, this.#clients, () => {
      const node = this.#nodes.get(this.#clients.pick(this.#ids));
      if (node?.isUp === true) node.read();
    });
    this.#every(profile.meanMembershipUs, this.#clients, () => this.#changeMembership());
    this.#every(profile.meanTransferUs, this.#clients, () => {
      const to = this.#clients.pick(this.#ids);
      this.#leaders()[0]?.step({ kind: "transferLeadership", to });
    });
  }

  #cutSomewhere(): void {
    const random = this.#faults;
    if (random.chance(0.4)) {
      this.#isolate(random.pick(this.#ids), random.pick(["both", "in", "out"]));
      return;
    }
    if (random.chance(0.5)) {
      const [from, to] = [random.pick(this.#ids), random.pick(this.#ids)];
      this.#network.cut(from, to);
      if (random.chance(0.5)) this.#network.cut(to, from);
    } else {
      const side = new Set(this.#ids.filter(() => random.chance(0.5)));
      for (const from of this.#ids) {
        for (const to of this.#ids)
          if (side.has(from) !== side.has(to)) this.#network.cut(from, to);
      }
    }
    this.#schedule.after(random.around(this.#profile.meanHealUs), () => this.#network.heal());
  }

  #leaders(): SimNode[] {
    return [...this.#nodes.values()].filter((node) => node.isUp && node.role === "leader");
  }

  #propose(): void {
    const leaders = this.#leaders();
    if (leaders.length === 0) return;
    const leader = this.#clients.pick(leaders);
    const count = this.#clients.chance(0.3) ? this.#clients.between(2, 6) : 1;
    const commands = Array.from({ length: count }, () => {
      this.#commands += 1;
      return new TextEncoder().encode(`c${this.#commands}`);
    });
    leader.step({ kind: "propose", commands });
  }

  /** Any other set of voters, by way of a joint membership. */
  #anyVoters(): Membership {
    const random = this.#clients;
    const voters = this.#ids.filter(() => random.chance(0.6));
    const learners = this.#ids.filter((id) => !voters.includes(id) && random.chance(0.3));
    return membershipOf(voters.length === 0 ? this.#ids.slice(0, 1) : voters, learners);
  }

  /** One member comes, goes, or changes what it is. */
  #anyMember({ voters: votersNow, learners: learnersNow }: Membership): Membership {
    const random = this.#clients;
    const id = random.pick(this.#ids);
    const voters = new Set(votersNow);
    const learners = new Set(learnersNow);
    if (!voters.has(id) && !learners.has(id)) {
      if (random.chance(0.5)) learners.add(id);
      else voters.add(id);
    } else if (voters.has(id)) {
      voters.delete(id);
      if (random.chance(0.5)) learners.add(id);
    } else {
      learners.delete(id);
      if (random.chance(0.7)) voters.add(id);
    }
    return membershipOf([...voters], [...learners]);
  }

  #changeMembership(): void {
    const leaders = this.#leaders();
    if (leaders.length === 0) return;
    const random = this.#clients;
    const leader = random.pick(leaders);
    const { membership: current } = leader.core.status();
    const membership = random.chance(0.4) ? this.#anyVoters() : this.#anyMember(current);
    const result = leader.step({ kind: "proposeMembership", membership });
    this.#note(
      () => `membership by ${leader.id}: ${membership.voters.join(",")} ${String(result.ok)}`,
    );
  }

  #makePeace(): void {
    this.#note(() => "peace");
    this.#isCalm = true;
    this.#network.isCalm = true;
    this.#network.heal();
    for (const node of this.#nodes.values()) {
      if (node.isUp) node.finishWrite();
      else this.#restart(node.id);
    }
    const proposeOften = (): void => {
      this.#propose();
      if (this.#schedule.now < this.#profile.durationUs + calmUs / 2) {
        this.#schedule.after(10 * tickUs, proposeOften);
      }
    };
    proposeOften();
  }

  /** V1: one leader, everything committed, applied and equal on all members, nothing left in flight. */
  #checkRest(): void {
    const rest = (condition: boolean, details: string): void => {
      if (!condition) throw new Violation("V1", details);
    };
    const leaders = this.#leaders().filter((node) =>
      isVoter(node.core.status().membership, node.id),
    );
    const leader = leaders.sort((a, b) => b.core.status().term - a.core.status().term)[0];
    rest(leader !== undefined, "nobody leads");
    if (leader === undefined) return;
    const status = leader.core.status();
    rest(status.commitIndex === status.lastIndex, "the leader's log is not committed");
    rest(status.uncommittedBytes === 0, "uncommitted bytes remain");
    rest(status.commitIndex > 0, "nothing was committed");
    for (const peer of status.peers) {
      rest(peer.state === "replicate", `peer ${peer.id} is in ${peer.state}`);
      rest(peer.matchIndex === status.lastIndex, `peer ${peer.id} lags at ${peer.matchIndex}`);
      rest(peer.inflightBytes === 0, `bytes in flight to ${peer.id}`);
    }
    for (const node of this.#nodes.values()) {
      if (!isMember(status.membership, node.id)) continue;
      rest(node.applied === status.commitIndex, `${node.id} applied ${node.applied}`);
      rest(node.digest === leader.digest, `digest of ${node.id} differs`);
      const own = node.core.status();
      rest(own.leader === leader.id, `${node.id} follows somebody else`);
      const isSame = describeMembership(own.membership) === describeMembership(status.membership);
      rest(isSame, `the membership of ${node.id} differs`);
    }
  }
}
