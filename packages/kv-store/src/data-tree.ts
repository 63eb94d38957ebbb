import type { ApplyOutcome } from "./apply-outcome.ts";
import type { ChangesSince } from "./change-log.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Command, CommandStamp } from "./command.ts";
import type { TreeLimits } from "./limits.ts";
import type { Query, QueryReply, Result, SessionId, Zxid } from "./protocol/index.ts";
import type { SessionView } from "./session-view.ts";

/** The replicated state machine: a tree of znodes, sessions, locks, reply windows and the change log. */
export declare class DataTree {
  constructor(limits: TreeLimits);
  get lastZxid(): Zxid | 0;
  get clockMs(): number;
  get nodeCount(): number;
  get sessionCount(): number;
  get approximateBytes(): number;
  /** Applies the entry at `zxid`, appended in `term`. Total: never throws for any content of a command. */
  apply(zxid: Zxid, term: number, stamp: CommandStamp, command: Command): ApplyOutcome;
  /** An entry that is no command took this revision; nothing else changes. */
  skipTo(zxid: Zxid): void;
  read(query: Query): Result<QueryReply>;
  session(id: SessionId): SessionView | undefined;
  /** Ascending by id; only good until the next apply. */
  sessions(): Iterable<SessionView>;
  changesSince(zxid: Zxid | 0): ChangesSince;
  /** 16 hex digits over everything replicated. */
  digest(): string;
  recomputeDigest(): string;
  freeze(): Checkpoint;
}
