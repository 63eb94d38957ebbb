import type { Member, Membership, SnapshotMeta } from "@quorate/raft";
import { HEARTBEATS_PER_ELECTION_MIN } from "./config.ts";
import { ServerError, type ServerErrorCode } from "./errors.ts";
import { clusterIdOf, memberNamed, type Formation } from "./formation.ts";
import {
  PEER_PROTOCOL_VERSION,
  type HeartbeatTiming,
  type PeerHello,
  type PeerRefusal,
  type PeerWelcome,
} from "./peer/envelope.ts";
import { differenceOfLimits, type ReplicatedLimits } from "./replicated-limits.ts";

/** What this node is in its ensemble, once there is one. */
export interface Belonging {
  readonly clusterId: string;
  readonly historyId: string;
  readonly formation: SnapshotMeta;
}

export interface AdmissionPorts {
  /** The membership in force; only asked when the ensemble is formed. */
  membership(): Membership;
  /** A node asks to come back under its name with a new identity. */
  onRejoin(member: Member): void;
  /** The ensemble is formed: decided here or learned from a peer. */
  onFormed(belonging: Belonging): void;
  /** Something to be put right that does no harm yet; not told twice in a row. */
  onWarning(text: string): void;
  /** This node is not wanted and has to stop. */
  onRefused(error: ServerError): void;
}

export interface AdmissionOptions {
  readonly self: Member;
  readonly rejoin: boolean;
  readonly formation: Formation;
  readonly limits: ReplicatedLimits;
  readonly timing: HeartbeatTiming;
  readonly belonging: Belonging | null;
  readonly ports: AdmissionPorts;
}

/** Names that a warning is remembered for. */
const WARNED_MAX = 64;

/**
 * Who may be a peer. A name belongs to one identity: whoever comes under a known name with another one has lost its data
 * or is a copy, and is only let in as a new member, on its operator's word.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  /** What was last warned of, by the name of the node it concerns. */
  readonly #warned = new Map<string, string>();
  #belonging: Belonging | null;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#belonging = options.belonging;
  }

  get belonging(): Belonging | null {
    return this.#belonging;
  }

  /** For an ensemble of one, which has nobody to wait for. */
  tryForm(): void {
    if (this.#belonging !== null || this.#options.rejoin) return;
    const formation = this.#options.formation.result();
    if (formation === null) return;
    const clusterId = clusterIdOf(formation.membership);
    this.#settle({ clusterId, historyId: `${clusterId}-1`, formation });
  }

  hello(): Omit<PeerHello, "linkNonce"> {
    const { self, rejoin, formation, limits, timing } = this.#options;
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
      rejoin,
    };
  }

  onHello(hello: PeerHello): PeerWelcome {
    if (hello.protocolVersion !== PEER_PROTOCOL_VERSION) {
      const text = `this node speaks peer protocol ${PEER_PROTOCOL_VERSION}, not ${hello.protocolVersion}`;
      return refused("UNSUPPORTED_VERSION", text);
    }
    const { limits } = this.#options;
    const difference = differenceOfLimits(limits, hello.limits, `at "${hello.name}"`);
    if (difference !== null) return refused("LIMITS_MISMATCH", difference);
    this.#compareTiming(hello);
    return this.#belonging === null
      ? this.#meetForming(hello)
      : this.#meetFormed(hello, this.#belonging);
  }

  /** No reason to refuse anybody: otherwise the timing of an ensemble could not be changed node by node. */
  #compareTiming({ name, timing }: PeerHello): void {
    const own = this.#options.timing;
    const text = timingProblem("here", own, `at "${name}"`, timing);
    if (text === null) {
      this.#warned.delete(name);
      return;
    }
    if (this.#warned.get(name) === text) return;
    // Strangers may call themselves anything.
    if (this.#warned.size >= WARNED_MAX) this.#warned.clear();
    this.#warned.set(name, text);
    this.#options.ports.onWarning(text);
  }

  #meetForming(hello: PeerHello): PeerWelcome {
    // A formed peer tells us the formation when we dial it; until then its word is enough to listen.
    if (hello.clusterId !== "" || hello.rejoin) return this.#welcome();
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

  #meetFormed(hello: PeerHello, belonging: Belonging): PeerWelcome {
    if (hello.clusterId !== "" && hello.clusterId !== belonging.clusterId) {
      const text = `"${hello.name}" belongs to ensemble ${hello.clusterId}, this is ${belonging.clusterId}`;
      return refused("OTHER_CLUSTER", text);
    }
    if (hello.clusterId !== "" && hello.historyId !== belonging.historyId) {
      return refused("OTHER_HISTORY", `"${hello.name}" belongs to another history`);
    }
    const present = memberNamed(this.#options.ports.membership(), hello.name);
    if (present === undefined) return refused("NOT_A_MEMBER", `"${hello.name}" is no member`);
    if (present.id === hello.nodeId) return this.#welcome();
    if (hello.rejoin) {
      this.#options.ports.onRejoin(memberOf(hello));
      return this.#welcome();
    }
    const text =
      `"${hello.name}" is known to this ensemble under another identity. If its data was lost, ` +
      "start it with --rejoin on an empty data directory: it comes back as a new member";
    return refused("IDENTITY_REFUSED", text);
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
    if (welcome.name !== name) return false;
    if (this.#belonging === null) return this.#learn(welcome);
    if (welcome.clusterId !== "" && welcome.clusterId !== this.#belonging.clusterId) return false;
    return memberNamed(this.#options.ports.membership(), name)?.id === welcome.nodeId;
  }

  #learn(welcome: Extract<PeerWelcome, { readonly kind: "welcome" }>): boolean {
    const { self, rejoin, formation } = this.#options;
    if (welcome.formation === null) {
      if (rejoin || !formation.meet(memberOf(welcome))) return false;
      this.tryForm();
      return true;
    }
    const known = memberNamed(welcome.formation.membership, self.name);
    if (!rejoin && known?.id !== self.id) {
      this.#onRefusal(welcome.name, "IDENTITY_REFUSED", "the formation names another identity");
      return false;
    }
    const { clusterId, historyId } = welcome;
    this.#settle({ clusterId, historyId, formation: welcome.formation });
    return true;
  }

  #onRefusal(name: string, code: PeerRefusal, message: string): void {
    // A member may not have heard of us yet; whoever has no ensemble at all has nothing to wait for.
    if (this.#belonging !== null || this.#options.rejoin) return;
    if (code === "UNSUPPORTED_VERSION" || code === "NOT_A_MEMBER") return;
    this.#options.ports.onRefused(
      new ServerError(reasonOf(code), `refused by "${name}": ${message}`),
    );
  }

  #settle(belonging: Belonging): void {
    this.#belonging = belonging;
    this.#options.ports.onFormed(belonging);
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
  const isOfSettings = code === "MEMBERSHIP_MISMATCH" || code === "LIMITS_MISMATCH";
  return isOfSettings ? code : "IDENTITY_REFUSED";
}

function memberOf(said: {
  readonly nodeId: Member["id"];
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
}): Member {
  const { name, peerAddress, clientAddress } = said;
  return { id: said.nodeId, name, peerAddress, clientAddress };
}

function refused(code: PeerRefusal, message: string): PeerWelcome {
  return { kind: "refused", protocolVersion: PEER_PROTOCOL_VERSION, code, message };
}
