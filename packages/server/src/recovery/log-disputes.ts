import type { CommitConflict, NodeId, RaftStatus, Term } from "@quorate/raft";
import type { ServerError } from "../errors.ts";
import type { NodeStorage } from "../node-storage.ts";
import type { Logger } from "../observe/logger.ts";
import { reached } from "../points.ts";

/** What {@link LogDisputes} works with. */
export interface LogDisputesPorts {
  readonly logger: Logger;
  readonly storage: Pick<NodeStorage, "noteLoss" | "noteConflict">;
  nameOf(id: NodeId): string | null;
  /** Under this identity the node takes no part any more. */
  onDamage(error: ServerError): void;
  onFatal(error: unknown): void;
}

/** Logs that do not agree on what was acknowledged: what this node notes of that and tells, and what it ends with. */
export class LogDisputes {
  readonly #ports: LogDisputesPorts;
  #isLossNoted = false;
  /** Peers whose claims were told of in this term. */
  readonly #claimsTold = new Set<NodeId>();
  #term: Term | null = null;

  constructor(ports: LogDisputesPorts) {
    this.#ports = ports;
  }

  /** Called every now and then. */
  keep(status: RaftStatus): void {
    this.#tellClaims(status);
    if (status.hasLostEntries && !this.#isLossNoted) this.#noteLoss();
  }

  /**
   * The leader has something else than what is committed here. Called once, when nothing goes on any more: this node must not
   * come back as if nothing had happened, as its log would give way to the leader's.
   */
  onConflict(conflict: CommitConflict): void {
    const { logger, storage } = this.#ports;
    reached("leader_contradicts_what_is_committed");
    logger.error({ ...conflict }, "the leader contradicts what is committed here");
    void storage
      .noteConflict(conflict)
      .catch((error: unknown) => error)
      .then((error) => this.#ports.onFatal(error));
  }

  #tellClaims({ peers, lastIndex, term }: RaftStatus): void {
    if (term !== this.#term) this.#claimsTold.clear();
    this.#term = term;
    for (const { id, claimedIndex } of peers) {
      if (claimedIndex === null || this.#claimsTold.has(id)) continue;
      this.#claimsTold.add(id);
      this.#ports.logger.error(
        { peer: this.#ports.nameOf(id), claimedIndex, lastIndex, term },
        "a peer acknowledged more than this leader has: one of the two has lost acknowledged entries, or is not what it says",
      );
    }
  }

  #noteLoss(): void {
    this.#isLossNoted = true;
    this.#ports.storage.noteLoss().then(
      (error) => this.#ports.onDamage(error),
      (error: unknown) => this.#ports.onFatal(error),
    );
  }
}
