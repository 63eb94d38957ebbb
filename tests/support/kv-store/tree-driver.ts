import {
  type ApplyOutcome,
  type Command,
  DataTree,
  type ImageRecord,
  TREE_LIMITS,
  type TreeLimits,
  TreeLoader,
} from "@quorate/kv-store";
import {
  type ErrorCode,
  type Query,
  type QueryReply,
  type SessionId,
  sessionId,
  type WriteOp,
  type WriteOutcome,
  type WriteReply,
  writeSeq,
  type Zxid,
  zxid,
} from "@quorate/kv-store/protocol";

const TERM = 1;
const FIRST_TIME_MS = 1_700_000_000_000;

/** Bytes of a text, for data. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Text of bytes, for data. */
export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** An op that creates, persistent and empty unless said otherwise. */
export function create(
  path: string,
  mode: "persistent" | "ephemeral" | "persistentSequential" | "ephemeralSequential" = "persistent",
  data: Uint8Array = new Uint8Array(0),
): WriteOp {
  return { kind: "create", path, data, mode };
}

/** An op that deletes whatever version is there. */
export function remove(path: string, version: number | null = null): WriteOp {
  return { kind: "delete", path, version };
}

/** An op that sets a text. */
export function set(
  path: string,
  data: string,
  version: number | null = null,
): Extract<WriteOp, { kind: "set" }> {
  return { kind: "set", path, data: bytes(data), version };
}

/** An op that lines up for a lock. */
export function acquire(path: string, wait = true): Extract<WriteOp, { kind: "acquire" }> {
  return { kind: "acquire", path, data: new Uint8Array(0), wait };
}

/** A tree with consecutive revisions, a clock that moves a millisecond per entry, and sessions that number their writes. */
export class TreeDriver {
  tree: DataTree;
  term = TERM;
  #zxid = 0;
  #nextSecret = 1;
  readonly #seqs = new Map<SessionId, number>();

  constructor(limits: Partial<TreeLimits> = {}, tree?: DataTree) {
    this.tree = tree ?? new DataTree({ ...TREE_LIMITS, ...limits });
    this.#zxid = this.tree.lastZxid;
  }

  /** Revision of the entry applied last. */
  get zxid(): Zxid {
    return zxid(this.#zxid);
  }

  apply(command: Command): ApplyOutcome {
    this.#zxid += 1;
    const stamp = { timeMs: FIRST_TIME_MS + this.#zxid, clockMs: this.#zxid };
    return this.tree.apply(zxid(this.#zxid), this.term, stamp, command);
  }

  /** Opens a session with a verifier of its own, or the one given. */
  open(verifier: Uint8Array = this.#newVerifier()): SessionId {
    const outcome = this.apply(openCommand(verifier));
    if (outcome.result.kind !== "attached") throw new Error(outcome.result.kind);
    this.#seqs.set(outcome.result.session, outcome.result.lastWriteSeq);
    return outcome.result.session;
  }

  /** The next write of a session, with everything before it acknowledged. */
  write(session: SessionId, ...ops: readonly WriteOp[]): ApplyOutcome {
    const seq = (this.#seqs.get(session) ?? 0) + 1;
    this.#seqs.set(session, seq);
    return this.apply(writeCommand(session, seq, seq - 1, ops));
  }

  /** Replies of a write that must succeed. */
  do(session: SessionId, ...ops: readonly WriteOp[]): readonly WriteReply[] {
    const outcome = outcomeOf(this.write(session, ...ops));
    if (!outcome.ok) throw new Error(`${outcome.code} at ${outcome.opIndex}`);
    return outcome.replies;
  }

  /** Code of a write that must fail, or null. */
  codeOf(session: SessionId, ...ops: readonly WriteOp[]): ErrorCode | null {
    const outcome = outcomeOf(this.write(session, ...ops));
    return outcome.ok ? null : outcome.code;
  }

  close(session: SessionId): ApplyOutcome {
    return this.apply({ kind: "closeSession", session });
  }

  /** Answer to a query that must have one. */
  read<K extends Query["kind"]>(
    query: Query & { readonly kind: K },
  ): Extract<QueryReply, { kind: K }> {
    const result = this.tree.read(query);
    if (!result.ok) throw new Error(result.code);
    if (!isReplyTo(query.kind, result.value)) throw new Error(result.value.kind);
    return result.value;
  }

  #newVerifier(): Uint8Array {
    const verifier = new Uint8Array(16);
    new DataView(verifier.buffer).setUint32(0, this.#nextSecret);
    this.#nextSecret += 1;
    return verifier;
  }
}

function isReplyTo<K extends Query["kind"]>(
  kind: K,
  reply: QueryReply,
): reply is Extract<QueryReply, { kind: K }> {
  return reply.kind === kind;
}

/** Opens a session for the secret with that verifier. */
export function openCommand(verifier: Uint8Array, timeoutMs = 10_000): Command {
  const attach = { node: 1, address: "10.0.0.1:5000", principal: "", clientName: "test" };
  return { kind: "openSession", verifier, timeoutMs, attach };
}

type WriteCommand = Extract<Command, { kind: "write" }>;

/** A write as its client's node proposes it. */
export function writeCommand(
  session: SessionId,
  seq: number,
  ackedSeq: number,
  ops: readonly WriteOp[],
): WriteCommand {
  return {
    kind: "write",
    session: sessionId(session),
    writeSeq: writeSeq(seq),
    ackedSeq: ackedSeq === 0 ? 0 : writeSeq(ackedSeq),
    epoch: 0,
    ops,
  };
}

/** Outcome of an entry that must have been a write. */
export function outcomeOf(applied: ApplyOutcome): WriteOutcome {
  if (applied.result.kind !== "write") throw new Error(JSON.stringify(applied.result));
  return applied.result.outcome;
}

/** An image in memory, as a host keeps it on disk. */
export class MemoryImage {
  readonly records = new Map<string, Uint8Array>();

  /** Writes a slice. */
  write(records: readonly ImageRecord[]): void {
    for (const { key, value } of records) {
      if (value === null) this.records.delete(key);
      else this.records.set(key, new Uint8Array(value));
    }
  }

  /** Takes a whole checkpoint of `tree` at once. */
  checkpoint(tree: DataTree): void {
    const checkpoint = tree.freeze();
    for (;;) {
      const records = checkpoint.next(7, 1000);
      if (records.length === 0) break;
      this.write(records);
    }
    checkpoint.complete();
  }

  /** The same records but one, which is another one; null: it is gone. */
  changed(key: string, value: Uint8Array | null): MemoryImage {
    const other = new MemoryImage();
    for (const [each, bytesOf] of this.records) other.records.set(each, bytesOf);
    other.write([{ key, value }]);
    return other;
  }

  /** A tree out of the records, `keys` in that order. */
  load(
    limits: TreeLimits = TREE_LIMITS,
    keys: Iterable<string> = [...this.records.keys()].sort(),
  ): DataTree {
    const loader = new TreeLoader(limits);
    for (const key of keys) loader.add(key, this.records.get(key) ?? new Uint8Array(0));
    return loader.finish();
  }
}
