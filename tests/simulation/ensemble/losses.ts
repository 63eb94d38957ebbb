import type { NodeId } from "@quorate/raft";
import { isQuorum } from "../../specification/abstract-node.ts";
import { Violation } from "../violation.ts";
import type { DiskCopy } from "./disk-copy.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

/** Below that a majority is everybody, and nobody could be done without. */
const VOTERS_MIN = 3;
/** Nodes that are not whole at once. */
const TOGETHER_MAX = 2;

/**
 * Which disks may be struck so that nothing that was acknowledged may be lost, and the ensemble has to come back by itself.
 * Others may be down, cut off or behind meanwhile; what counts is what is on their disks.
 *
 * A node whose data are damaged while it is down gives up its identity with its next start, and asks nobody. What was committed
 * is on a majority, and as long as the voters that are left are one, each of their majorities has it: so a minority may be
 * struck. One that is damaged while it runs leaves only if it may, so it does not count among those that are lost - unless
 * it goes down for another reason, as it then has nothing that it could go on with.
 */
export class Losses {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Nobody has lost its disk and has yet to come back. */
  get isWhole(): boolean {
    return this.#world.nodes.every((node) => node.isWhole);
  }

  /** Damaged as it may be, the others can do without this node for ever. */
  mayLose(node: SimNode): boolean {
    return (
      this.#isMember(node) && !node.isDoomed && this.#areTogether(node) && this.#canDoWithout(node)
    );
  }

  /** Of a node that runs something may rot: whether it leaves is its own decision. */
  mayRot(node: SimNode): boolean {
    const isFit = node.isWhole && node.isUnharmed && node.server !== null && !node.isStopped;
    return isFit && this.#isMember(node) && this.#areTogether(node);
  }

  /** It may go down: it is not damaged, or the others can do without it for ever. */
  mayGoDown(node: SimNode): boolean {
    return node.isWhole || node.isDoomed || this.#canDoWithout(node);
  }

  /** It may lack what it promised: nobody else is struck, and the others vouch for it. */
  mayForget({ nodeId }: SimNode): boolean {
    if (nodeId === null || !this.isWhole) return false;
    return this.#world.cores.specification.forgiven.mayForget(nodeId);
  }

  /** As {@link mayForget}, of all since it was copied. */
  mayTurnBack(node: SimNode, { id, members }: DiskCopy): boolean {
    const leader = this.#world.leader()?.nodeId ?? null;
    if (leader === null || id === null || node.nodeId !== id || !this.mayForget(node)) return false;
    return this.#world.cores.specification.forgiven.membershipIndexOf(leader) === members;
  }

  /** A node that found damage while it ran ended by its own decision: the others have to be a majority. */
  checkDeparture(node: SimNode): void {
    const leader = this.#world.leader();
    const membership = leader?.server?.status().membership ?? null;
    if (membership === null || isQuorum(membership, (id) => this.#nodeOf(id, node) !== null))
      return;
    const text = `${node.name} leaves for damage, and the voters that are left are no majority`;
    this.#world.fail(new Violation("V departure", text));
  }

  #isMember({ nodeId }: SimNode): boolean {
    const membership = this.#world.leader()?.server?.status().membership ?? null;
    if (membership === null || membership.voters.length < VOTERS_MIN) return false;
    return membership.members.some(({ id }) => id === nodeId);
  }

  #areTogether(node: SimNode): boolean {
    const struck = this.#world.nodes.filter((each) => each !== node && !each.isWhole);
    return struck.length < TOGETHER_MAX;
  }

  /** Of every membership that may count: one that is not committed may never come into force, or stay. */
  #canDoWithout(node: SimNode): boolean {
    const { memberships } = this.#world.cores.specification.forgiven;
    const isSound = (id: NodeId): boolean => this.#nodeOf(id, node)?.isWhole ?? false;
    return memberships.length > 0 && memberships.every((each) => isQuorum(each, isSound));
  }

  /** Who has that identity, unless it is `but`; null: nobody any more. */
  #nodeOf(id: NodeId, but: SimNode): SimNode | null {
    return this.#world.nodes.find((node) => node !== but && node.nodeId === id) ?? null;
  }
}
