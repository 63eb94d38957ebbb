import {
  isVoter,
  type NodeId,
  type RaftInput,
  type RaftStatus,
  type StepResult,
} from "@quorate/raft";
import { ServerError } from "./errors.ts";
import type { PreferenceLimits } from "./limits.ts";
import { memberNamed } from "./membership/formation.ts";
import { reached } from "./points.ts";
import { pollUntil } from "./poll-until.ts";
import type { MonotonicClock } from "./ports.ts";
import { PreferredLeader, type PreferencePorts } from "./preferred-leader.ts";

/** What {@link Leadership} works with. */
export interface LeadershipPorts extends PreferencePorts {
  readonly clock: MonotonicClock;
  status(): RaftStatus;
  step(input: RaftInput): StepResult;
}

/** How long a node that stops waits for its successor, ms. From then on it takes no part any more. */
export const HAND_OVER_MS = 1_500;
/** A successor that has not taken over after this many ms is not going to. */
const TRANSFER_MS = 2_000;

/**
 * Who leads, as far as a node that leads may choose: a successor when it stops or its disk is full, another node that an
 * operator names, and the node with the highest priority.
 */
export class Leadership {
  readonly #ports: LeadershipPorts;
  readonly #preference: PreferredLeader;

  constructor(ports: LeadershipPorts, limits: PreferenceLimits) {
    this.#ports = ports;
    this.#preference = new PreferredLeader(ports, limits);
  }

  /** Asks the best successor to take over; resolves when somebody leads, or after `timeoutMs`, with whether it is another. */
  async handOver(timeoutMs: number): Promise<boolean> {
    const to = this.successor(() => true);
    return to !== null && this.#hand(to, timeoutMs);
  }

  /**
   * Has the voter called `name` lead, or for null the best successor. Resolves with the new leader's name. Rejects with
   * NOT_LEADER, MEMBER_UNKNOWN, and TRANSFER_FAILED where the node cannot lead now or did not take over in time.
   */
  async transfer(name: string | null): Promise<string> {
    const status = this.#ports.status();
    if (status.role !== "leader") {
      throw new ServerError("NOT_LEADER", "this node does not lead the ensemble");
    }
    const { members } = status.membership;
    const to = name === null ? this.successor(() => true) : this.#targetOf(status, name);
    if (to === null) throw failed(whyNobody(status));
    if (to !== status.id && !(await this.#hand(to, TRANSFER_MS))) {
      throw failed(`${nameOf(members, to)} did not take over within ${TRANSFER_MS / 1000} s`);
    }
    return nameOf(members, this.#ports.status().leader ?? to);
  }

  /**
   * The voter to hand over to: one that is heard of and `mayLead`; of those that have everything committed and room on their
   * disks the one with the highest priority, else the one furthest along.
   */
  successor(mayLead: (id: NodeId) => boolean): NodeId | null {
    const { role, membership, commitIndex, peers } = this.#ports.status();
    if (role !== "leader") return null;
    const fit = peers.filter(
      ({ id, recentlyActive }) => recentlyActive && isVoter(membership, id) && mayLead(id),
    );
    const rank = ({ id, matchIndex }: (typeof fit)[number]): number =>
      matchIndex >= commitIndex && this.#ports.hasRoom(id) ? this.#ports.priorityOf(id) : -1;
    const [best] = fit.sort((a, b) => rank(b) - rank(a) || b.matchIndex - a.matchIndex);
    return best?.id ?? null;
  }

  /**
   * Called every now and then: a leader whose disk is full lets one lead that has room, and any leader a node with a higher
   * priority that has been well for a while. While the lead is on its way nothing is written: it goes only to who has about
   * all that is committed.
   */
  keep(): void {
    const ports = this.#ports;
    const status = ports.status();
    const to = this.#preference.look(status);
    if (to === null) return;
    if (ports.hasRoom(status.id)) reached("lead_goes_to_preferred_node");
    else reached("leader_with_full_disk_hands_over");
    const { ok } = ports.step({ kind: "transferLeadership", to });
    if (ok) this.#preference.noteOffer(to);
  }

  #targetOf({ id, membership, peers }: RaftStatus, name: string): NodeId {
    const member = memberNamed(membership, name);
    if (member === undefined) {
      const names = membership.members.map((each) => each.name).sort();
      throw new ServerError(
        "MEMBER_UNKNOWN",
        `${name} is no member; the members are ${names.join(", ")}`,
      );
    }
    if (!isVoter(membership, member.id)) throw failed(`${name} is a learner, which cannot lead`);
    if (member.id === id) return id;
    const isHeard = peers.some((peer) => peer.id === member.id && peer.recentlyActive);
    if (!isHeard) throw failed(`${name} is not heard of`);
    if (!this.#ports.hasRoom(member.id)) throw failed(`the disk of ${name} is full`);
    return member.id;
  }

  async #hand(to: NodeId, timeoutMs: number): Promise<boolean> {
    const ports = this.#ports;
    const { term } = ports.status();
    if (!ports.step({ kind: "transferLeadership", to }).ok) return false;
    return pollUntil(ports.clock, timeoutMs, () => {
      const now = ports.status();
      return now.term > term && now.leader !== null && now.leader !== now.id;
    });
  }
}

function nameOf(members: RaftStatus["membership"]["members"], id: NodeId): string {
  return members.find((member) => member.id === id)?.name ?? String(id);
}

function whyNobody({ id, membership }: RaftStatus): string {
  const { voters } = membership;
  const isAlone = voters.length === 1 && voters[0] === id;
  return isAlone ? "this node is the only voter" : "no other voter is heard of";
}

function failed(text: string): ServerError {
  return new ServerError("TRANSFER_FAILED", text);
}
