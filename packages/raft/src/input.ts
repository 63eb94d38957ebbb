import type { Entry } from "./entry.ts";
import type { LogIndex, NodeId, Term } from "./ids.ts";
import type { Membership } from "./membership.ts";
import type { Message, ReadContext, SnapshotMeta } from "./message.ts";

/** Names one disk write: `seq` rises by one with each that the core hands out, never reused in a process. */
export interface PersistTicket {
  readonly seq: number;
}

/** Everything that can happen to a core. Inputs are data, so they can be recorded, replayed, scripted and fuzzed. */
export type RaftInput =
  /** One unit of logical time. */
  | { readonly kind: "tick" }
  /**
   * The host's monotonic clock, read after everything arrived that is stepped after it. Only leases go by it; without them
   * it changes nothing. One that goes back is ignored.
   */
  | { readonly kind: "clock"; readonly nowMs: number }
  | { readonly kind: "message"; readonly message: Message }
  /** Append commands; leader only. All or nothing. */
  | { readonly kind: "propose"; readonly commands: readonly Uint8Array[] }
  /** Change the membership; leader only; one change at a time, of more than one voter by way of a joint membership. */
  | { readonly kind: "proposeMembership"; readonly membership: Membership }
  /** Ask for a linearizable read; answered in `Ready.reads` (confirmed or refused). Works on any node. */
  | { readonly kind: "readIndex"; readonly context: ReadContext }
  /** Ask around now instead of at the end of the timeout; ignored where a leader is known or an election runs. */
  | { readonly kind: "campaign" }
  | { readonly kind: "transferLeadership"; readonly to: NodeId }
  /** The disk write named by the ticket is durable. Tickets complete in the order they were handed out. */
  | { readonly kind: "persisted"; readonly ticket: PersistTicket }
  /** Entries up to and including `index` are in the state machine. */
  | { readonly kind: "applied"; readonly index: LogIndex }
  /**
   * Answer to a `Ready.fetches` item: one or more entries from disk, without a gap, at most as much as was asked for (the
   * first in any case); `prevTerm` is the term of `from - 1`. Null: the disk has forgotten `from`, or the entry before it.
   */
  | {
      readonly kind: "fetched";
      readonly peer: NodeId;
      readonly from: LogIndex;
      readonly prevTerm: Term;
      readonly entries: readonly Entry[] | null;
    }
  /** The link to a peer closed or could not carry a message: probe again, and if it led us, ask around at once. */
  | { readonly kind: "peerUnreachable"; readonly peer: NodeId }
  /** A snapshot transfer to a peer ended. Every `installSnapshot` message that was handed out ends in exactly one of these. */
  | { readonly kind: "snapshotSent"; readonly to: NodeId; readonly ok: boolean }
  /**
   * The log up to `snapshot.index` is covered by a durable image, which peers may be sent from now on. The disk need not
   * have forgotten the entries: laggards are served from it until a fetch says that they are gone.
   */
  | { readonly kind: "compact"; readonly snapshot: SnapshotMeta };

/** Why an input was refused. Nothing changed. */
export type RejectReason =
  | "notLeader"
  | "leaderTransferring"
  /** Too much is on its way to be committed, or to be applied. */
  | "uncommittedLimit"
  | "entryTooLarge"
  | "membershipPending"
  | "membershipInvalid"
  | "unknownPeer";

/** Whether an input was taken in; a refused one changed nothing. */
export type StepResult =
  | {
      readonly ok: true;
      /** First index appended, for proposals. */ readonly index: LogIndex | null;
    }
  | { readonly ok: false; readonly reason: RejectReason; readonly leader: NodeId | null };
