/** What a client asked of one register: a znode's data under its version. */
export type Operation =
  | { readonly kind: "get" }
  | { readonly kind: "set"; readonly value: string }
  | { readonly kind: "compareAndSet"; readonly value: string; readonly expectedVersion: number }
  | { readonly kind: "create"; readonly value: string }
  /** `expectedVersion` null: any. */
  | { readonly kind: "delete"; readonly expectedVersion: number | null };

/** A register's content as a client saw it. */
export interface Observed {
  readonly value: string;
  readonly version: number;
}

/** What became of an operation. */
export type Outcome =
  /**
   * `observed`: what a read returned (null: no such znode), or what a write left behind (null: a delete). `zxid`: the
   * revision of that content, null where the answer names none.
   */
  | { readonly kind: "ok"; readonly observed: Observed | null; readonly zxid: number | null }
  /** Definitely without effect. Some codes also tell something of the register: NO_NODE, NODE_EXISTS, BAD_VERSION. */
  | { readonly kind: "fail"; readonly code: string }
  /** It may have taken effect at any time after its invocation, or never. */
  | { readonly kind: "unknown"; readonly code: string };

/** One operation from its call to its answer, on the harness's one monotonic clock. */
export interface OperationRecord {
  readonly kind: "operation";
  readonly client: number;
  /** Order in which this client issued its operations, ascending. */
  readonly sequence: number;
  readonly path: string;
  readonly operation: Operation;
  readonly outcome: Outcome;
  readonly invokedMs: number;
  /** Infinity for an unknown outcome. */
  readonly returnedMs: number;
}

/** Something the harness did to the ensemble. */
export interface FaultRecord {
  readonly kind: "fault";
  readonly name: string;
  readonly atMs: number;
}

/** A leader the harness saw. */
export interface LeaderRecord {
  readonly kind: "leader";
  readonly node: string;
  readonly term: number;
  readonly atMs: number;
}

/** One line of a history. */
export type HistoryRecord = OperationRecord | FaultRecord | LeaderRecord;

/** The operations of a history by path, each list in order of invocation. */
export function operationsByPath(
  history: readonly HistoryRecord[],
): ReadonlyMap<string, readonly OperationRecord[]> {
  const byPath = new Map<string, OperationRecord[]>();
  for (const record of history) {
    if (record.kind !== "operation") continue;
    const operations = byPath.get(record.path);
    if (operations === undefined) byPath.set(record.path, [record]);
    else operations.push(record);
  }
  for (const operations of byPath.values()) operations.sort((a, b) => a.invokedMs - b.invokedMs);
  return byPath;
}

/** What an answered call tells of its register: its content, and since which revision. Null where it tells neither. */
export function toldBy(
  record: HistoryRecord,
): { readonly path: string; readonly zxid: number; readonly value: string } | null {
  if (record.kind !== "operation" || record.outcome.kind !== "ok") return null;
  const { zxid, observed } = record.outcome;
  return zxid === null || observed === null
    ? null
    : { path: record.path, zxid, value: observed.value };
}

/** Whether an operation changes its register when it succeeds. */
export function isWrite(record: OperationRecord): boolean {
  return record.operation.kind !== "get";
}
