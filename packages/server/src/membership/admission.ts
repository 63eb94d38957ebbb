import type { Member, NodeId, SnapshotMeta } from "@quorate/raft";
import { HEARTBEATS_PER_ELECTION_MIN } from "../config.ts";
import { ServerError, type ServerErrorCode } from "../errors.ts";
import {
  PEER_PROTOCOL_VERSION,
  type Entrance,
  type HeartbeatTiming,
  type PeerHello,
  type PeerRefusal,
  type PeerWelcome,
} from "../peer/envelope.ts";
import { reached } from "../points.ts";
import { adviceToFit, differenceOfLimits, type ReplicatedLimits } from "../replicated-limits.ts";
import type { Acquaintances } from "./acquaintances.ts";
import {
  clusterIdOf,
  firstHistoryOf,
  memberById,
  memberNamed,
  type Formation,
} from "./formation.ts";
import type { JoinRequest } from "./join-request.ts";

/** What this node is in its ensemble, once there is one. */
export interface Belonging {
  readonly clusterId: string;
  readonly historyId: string;
  readonly formation: SnapshotMeta;
}

export interface AdmissionPorts {
  /**
   * Who is a member, whether that is committed or not, with the addresses at which this node reaches them; of two with one
   * name the later one first.
   */
  members(): readonly Member[];
  /**
   * Up to where this node has applied the log; since when it is a member, while it has not applied that far again; null while
   * it was never seen among the members.
   */
  appliedIndex(): number | null;
  /** This node leads, and has applied what was there before: nobody knows the members better. */
  leads(): boolean;
  /** Another node leads this one: it sends what only members get. */
  isLed(): boolean;
  /** A node that is no member wants to be one. */
  onJoinRequest(request: JoinRequest): void;
  /** A node is among the acquaintances now: it was a member later than what this node has applied. */
  onAcquainted(): void;
  /** The ensemble is formed: decided here or learned from a peer. */
  onFormed(belonging: Belonging): void;
  /** Something to be put right that does no harm yet; not told twice in a row. */
  onWarning(text: string): void;
  /** This node is not wanted and has to stop. */
  onRefused(error: ServerError): void;
}

export interface AdmissionOptions {
  readonly self: Member;
  readonly entrance: Entrance;
  readonly priority: number;
  readonly formation: Formation;
  readonly limits: ReplicatedLimits;
  readonly timing: HeartbeatTiming;
  readonly belonging: Belonging | null;
  /** Whom this node meets that it does not know as a member. */
  readonly acquaintances: Acquaintances;
  readonly ports: AdmissionPorts;
}

/** Concerns that a warning is remembered for. */
const WARNED_MAX = 64;
/** Nodes whose priority is remembered; there are never more members than this. */
const PRIORITIES_MAX = 64;

/**
 * Who may be a peer. A name belongs to one identity: whoever comes under a known name with another one has lost its data
 * or is a copy, and is only let in as a new member, on its operator's word.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  /** What was last warned of, by what it concerns. */
  readonly #warned = new Map<string, string>();
  readonly #priorities = new Map<NodeId, number>();
  #belonging: Belonging | null;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#belonging = options.belonging;
  }

  get belonging(): Belonging | null {
    return this.#belonging;
  }

  /** In words, for operators, with what has to happen; null for who waits for nothing. */
  get waitingFor(): string | null {
    if (this.#belonging !== null) return null;
    const { entrance, formation, self } = this.#options;
    return waitingText(entrance, self.name, formation.missing);
  }

  /** As the node said it when it last dialled; 0 for whoever has not. */
  priorityOf(id: NodeId): number {
    return this.#priorities.get(id) ?? 0;
  }

  /** For an ensemble of one, which has nobody to wait for. */
  tryForm(): void {
    if (this.#belonging !== null || this.#options.entrance !== "member") return;
    const formation = this.#options.formation.result();
    if (formation === null) return;
    reached("ensemble_formed");
    const clusterId = clusterIdOf(formation.membership);
    this.#settle({ clusterId, historyId: firstHistoryOf(clusterId), formation });
  }

  hello(): Omit<PeerHello, "linkNonce"> {
    const { self, entrance, priority, formation, limits, timing, ports } = this.#options;
    return {
      kind: "hello",
      protocolVersion: PEER_PROTOCOL_VERSION,
      clusterId: this.#belonging?.clusterId ?? "",
      historyId: this.#belonging?.historyId ?? "",
      nodeId: self.id,
      name: self.name,
      peerAddress: self.peerAddress,
      clientAddress: self.clientAddress,
      initialMembers: formation.names,
      limits,
      timing,
      entrance,
      priority,
      appliedIndex: this.#belonging === null ? null : ports.appliedIndex(),
    };
  }

  onHello(hello: PeerHello): PeerWelcome {
    if (hello.protocolVersion !== PEER_PROTOCOL_VERSION) {
      const text = `this node speaks peer protocol ${PEER_PROTOCOL_VERSION}, not ${hello.protocolVersion}`;
      return refused("UNSUPPORTED_VERSION", text);
    }
    const { limits } = this.#options;
    const who = `"${hello.name}"`;
    const difference = differenceOfLimits(limits, hello.limits, `at ${who}`);
    if (difference !== null) {
      return refused("LIMITS_MISMATCH", difference + adviceToFit(who, hello.limits, limits));
    }
    this.#compareTiming(hello);
    const answer =
      this.#belonging === null
        ? this.#meetForming(hello)
        : this.#meetFormed(hello, this.#belonging);
    if (answer.kind === "welcome") this.#notePriority(hello);
    return answer;
  }

  #notePriority({ nodeId, priority }: PeerHello): void {
    if (this.#priorities.size >= PRIORITIES_MAX) this.#priorities.clear();
    this.#priorities.set(nodeId, priority);
  }

  /** No reason to refuse anybody: otherwise the timing of an ensemble could not be changed node by node. */
  #compareTiming({ name, timing }: PeerHello): void {
    const own = this.#options.timing;
    this.#warn(`timing at ${name}`, timingProblem("here", own, `at "${name}"`, timing));
  }

  /** A node that has moved reaches the others, and none of them reaches it: it would wait for the log for ever. */
  #compareAddress(hello: PeerHello, known: Member, { formation }: Belonging): void {
    const dialled = known.peerAddress.split("|");
    const isDialled = hello.peerAddress.split("|").some((address) => dialled.includes(address));
    const { name } = hello;
    const advice =
      memberById(formation.membership, known.id) === undefined
        ? "where it joined: if it has moved, start it with --rejoin on an empty data directory"
        : "as it was told: if it has moved, correct that on all nodes, and restart them one by one";
    const text = `"${name}" says that peers reach it at ${hello.peerAddress}; this node dials ${known.peerAddress}, ${advice}`;
    this.#warn(`address of ${name}`, isDialled ? null : text);
  }

  /** Once for what it concerns, until it is another text or, with null, was put right. */
  #warn(concern: string, text: string | null): void {
    if (text === null) {
      this.#warned.delete(concern);
      return;
    }
    if (this.#warned.get(concern) === text) return;
    // Strangers may call themselves anything.
    if (this.#warned.size >= WARNED_MAX) this.#warned.clear();
    this.#warned.set(concern, text);
    this.#options.ports.onWarning(text);
  }

  #meetForming(hello: PeerHello): PeerWelcome {
    // A formed peer tells us the formation when we dial it; until then its word is enough to listen.
    if (hello.clusterId !== "") {
      if (hello.appliedIndex !== null) this.#acquaint(hello, hello.appliedIndex);
      return this.#welcome();
    }
    if (hello.entrance !== "member") return this.#welcome();
    const { formation } = this.#options;
    if (hello.initialMembers.join() !== formation.names.join()) {
      const text =
        `the initial members differ: ${formation.names.join(", ")} here, ` +
        `${hello.initialMembers.join(", ")} at "${hello.name}"`;
      return refused("MEMBERSHIP_MISMATCH", text);
    }
    if (!formation.meet(memberOf(hello))) {
      return refused("IDENTITY_REFUSED", `another node is already known as "${hello.name}"`);
    }
    const welcome = this.#welcome();
    this.tryForm();
    return welcome;
  }

  #acquaint(hello: PeerHello, appliedIndex: number): void {
    const { acquaintances, ports } = this.#options;
    const { historyId } = hello;
    if (!acquaintances.meet({ member: memberOf(hello), historyId, appliedIndex })) return;
    reached("member_unknown_here_met");
    ports.onAcquainted();
  }

  #meetFormed(hello: PeerHello, belonging: Belonging): PeerWelcome {
    if (hello.clusterId !== "" && hello.clusterId !== belonging.clusterId) {
      const text = `"${hello.name}" belongs to ensemble ${hello.clusterId}, this is ${belonging.clusterId}`;
      reached("peer_of_another_ensemble");
      this.#refuseSplit(hello, belonging);
      return refused("OTHER_CLUSTER", text);
    }
    if (hello.clusterId !== "" && hello.historyId !== belonging.historyId) {
      return refused("OTHER_HISTORY", `"${hello.name}" belongs to another history`);
    }
    const members = this.#options.ports.members();
    const known = members.find(({ id }) => id === hello.nodeId);
    if (known !== undefined) {
      this.#compareAddress(hello, known, belonging);
      return this.#welcome();
    }
    return hello.appliedIndex === null
      ? this.#meetStranger(
          hello,
          members.find(({ name }) => name === hello.name),
        )
      : this.#meetFormer(hello, hello.appliedIndex);
  }

  /**
   * Who is a founder here and belongs to another ensemble met somebody else under one of the names. There are two ensembles
   * then, and clients that are told all addresses would come to this one or to that: neither serves.
   */
  #refuseSplit({ name, nodeId }: PeerHello, { formation, clusterId }: Belonging): void {
    if (memberById(formation.membership, nodeId) === undefined) return;
    reached("founders_met_differently");
    const text =
      `"${name}" is a founder of this ensemble, ${clusterId}, and of another one: several nodes have one name. ` +
      "Stop all nodes, give each its own name, and begin anew with empty data directories";
    this.#options.ports.onRefused(new ServerError("IDENTITY_REFUSED", text));
  }

  /** It never was a member as far as it knows; `namesake` is one. */
  #meetStranger(hello: PeerHello, namesake: Member | undefined): PeerWelcome {
    const { entrance, name } = hello;
    const { ports } = this.#options;
    const member = memberOf(hello);
    if (entrance === "rejoin" && namesake !== undefined) {
      reached("node_without_its_data_asks_to_come_back");
      ports.onJoinRequest({ kind: "rejoin", member });
      return refused("NOT_A_MEMBER", `"${name}" is to come back as a new member, and is none yet`);
    }
    if (entrance !== "member" && namesake === undefined) {
      reached("node_asks_to_join");
      ports.onJoinRequest({ kind: "join", member });
      const text = `"${name}" is no member yet: add it with \`quorate member add ${name}\``;
      return refused("NOT_A_MEMBER", text);
    }
    if (namesake === undefined) {
      reached("stranger_refused");
      const text = `"${name}" is no member; a node that is new, or was removed, starts with --join on an empty data directory`;
      return refused("NOT_A_MEMBER", text);
    }
    const text =
      entrance === "join"
        ? `another node of this ensemble is called "${name}": remove that one, or start this one under a name of its own`
        : `"${name}" is known to this ensemble under another identity. If its data was lost, ` +
          "start it with --rejoin on an empty data directory: it comes back as a new member";
    // Whoever is behind may know the name from before: on its word alone no node ends.
    return refused(ports.leads() ? "IDENTITY_REFUSED" : "NOT_A_MEMBER", text);
  }

  /** It was a member in the log at `appliedIndex`, and is none as this node knows it: one of both is behind. */
  #meetFormer(hello: PeerHello, appliedIndex: number): PeerWelcome {
    const { ports } = this.#options;
    if (appliedIndex > (ports.appliedIndex() ?? -1)) {
      this.#acquaint(hello, appliedIndex);
      return this.#welcome();
    }
    reached("removed_member_came_back");
    return refused("REMOVED", `"${hello.name}" was removed from this ensemble`);
  }

  #welcome(): PeerWelcome {
    const { self } = this.#options;
    const belonging = this.#belonging;
    return {
      kind: "welcome",
      protocolVersion: PEER_PROTOCOL_VERSION,
      clusterId: belonging?.clusterId ?? "",
      historyId: belonging?.historyId ?? "",
      nodeId: self.id,
      name: self.name,
      peerAddress: self.peerAddress,
      clientAddress: self.clientAddress,
      formation: belonging?.formation ?? null,
    };
  }

  /** Answer to our hello, from the member dialled as `name`. True: the link may be used. */
  onWelcome(name: string, welcome: PeerWelcome): boolean {
    if (welcome.kind === "refused") {
      this.#onRefusal(name, welcome.code, welcome.message);
      return false;
    }
    this.#warn(`refusal by ${name}`, null);
    if (welcome.name !== name) return false;
    if (this.#belonging === null) return this.#learn(welcome);
    const { clusterId } = welcome;
    return clusterId === "" || clusterId === this.#belonging.clusterId;
  }

  #learn(welcome: Extract<PeerWelcome, { readonly kind: "welcome" }>): boolean {
    const { self, entrance, formation } = this.#options;
    const isForming = entrance === "member";
    if (welcome.formation === null) {
      if (!isForming || !formation.meet(memberOf(welcome))) return false;
      this.tryForm();
      return true;
    }
    const known = memberNamed(welcome.formation.membership, self.name);
    if (isForming && known?.id !== self.id) {
      this.#onRefusal(welcome.name, "IDENTITY_REFUSED", "the formation names another identity");
      return false;
    }
    reached("formation_learned_from_peer");
    const { clusterId, historyId } = welcome;
    this.#settle({ clusterId, historyId, formation: welcome.formation });
    return true;
  }

  #onRefusal(name: string, code: PeerRefusal, message: string): void {
    const text = `refused by "${name}": ${message}`;
    if (this.#mayWait(code)) {
      reached("refusal_waited_through");
      this.#warn(`refusal by ${name}`, text);
      return;
    }
    this.#options.ports.onRefused(new ServerError(reasonOf(code), text));
  }

  /** A member may be behind: not know us yet or any more, or still know who had our name before. */
  #mayWait(code: PeerRefusal): boolean {
    const { entrance, ports } = this.#options;
    if (code === "REMOVED") return ports.isLed();
    if (this.#belonging !== null || entrance === "rejoin") return true;
    if (code === "UNSUPPORTED_VERSION" || code === "NOT_A_MEMBER") return true;
    return entrance === "join" && code === "IDENTITY_REFUSED";
  }

  #settle(belonging: Belonging): void {
    this.#belonging = belonging;
    this.#options.acquaintances.settle(belonging.historyId);
    this.#options.ports.onFormed(belonging);
  }
}

/** What a node waits for that has no ensemble; `missing`: the initial members that it has not met. */
function waitingText(entrance: Entrance, name: string, missing: readonly string[]): string {
  switch (entrance) {
    case "member":
      return missing.length === 0
        ? "forming the ensemble"
        : `waiting for ${missing.join(", ")} to form the ensemble: the first start needs every initial member up once, ` +
            "reachable at its peer address";
    case "join":
      return `waiting to be taken into the ensemble: give \`quorate member add ${name}\` to one of its servers`;
    case "rejoin":
      return "waiting to be taken back, which the leader does by itself once this node reaches a member";
  }
}

/** Why one of two nodes would campaign although the other leads and is well; null if neither would. */
function timingProblem(
  whereA: string,
  a: HeartbeatTiming,
  whereB: string,
  b: HeartbeatTiming,
): string | null {
  const isShort = (waiting: HeartbeatTiming, beating: HeartbeatTiming): boolean =>
    waiting.electionTimeoutMs < HEARTBEATS_PER_ELECTION_MIN * beating.heartbeatMs;
  if (!isShort(a, b) && !isShort(b, a)) return null;
  const show = ({ heartbeatMs, electionTimeoutMs }: HeartbeatTiming): string =>
    `heartbeat-ms is ${heartbeatMs} and election-timeout-ms ${electionTimeoutMs}`;
  return `${show(a)} ${whereA}, ${show(b)} ${whereB}: each must wait for at least ${HEARTBEATS_PER_ELECTION_MIN} heartbeats of the other`;
}

function reasonOf(code: PeerRefusal): ServerErrorCode {
  const isOwn = code === "REMOVED" || code === "MEMBERSHIP_MISMATCH" || code === "LIMITS_MISMATCH";
  return isOwn ? code : "IDENTITY_REFUSED";
}

function memberOf(said: {
  readonly nodeId: Member["id"];
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
}): Member {
  const { name, peerAddress, clientAddress } = said;
  return { id: said.nodeId, name, peerAddress, clientAddress, promotion: { kind: "none" } };
}

function refused(code: PeerRefusal, message: string): PeerWelcome {
  return { kind: "refused", protocolVersion: PEER_PROTOCOL_VERSION, code, message };
}
