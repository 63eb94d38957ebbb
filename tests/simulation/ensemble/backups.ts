import type { DataTree } from "@quorate/kv-store";
import { loadBackup } from "../../../packages/server/src/backup/verify-backup.ts";
import { ServerError } from "../../../packages/server/src/errors.ts";
import type { HistoryRecord } from "../../linearizability/history.ts";
import { Violation } from "../violation.ts";
import type { SimNode } from "./sim-node.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A backup that was read whole. */
export interface TakenBackup {
  /** When it was asked for. */
  readonly fromMs: number;
  /** What was answered before it was asked for has to be in it. */
  readonly isFresh: boolean;
  readonly zxid: number;
  readonly digest: string;
  /** What it holds of a register: null for nothing. */
  register(path: string): { readonly value: string; readonly zxid: number } | null;
}

/** Backups of the whole tree that an operator takes while everything goes on. Those that nodes refuse or break off are none. */
export class Backups {
  readonly #time: VirtualTime;
  readonly #taken: TakenBackup[] = [];
  readonly #fail: (error: unknown) => void;

  constructor(time: VirtualTime, fail: (error: unknown) => void) {
    this.#time = time;
    this.#fail = fail;
  }

  get taken(): readonly TakenBackup[] {
    return this.#taken;
  }

  /** Begins one on a node, to be read with so long a pause after every piece. False: the node does not run. */
  take(node: SimNode, isLocal: boolean, pauseMs: number): boolean {
    if (!node.isUp) return false;
    this.#take(node, isLocal, pauseMs).catch((error: unknown) => {
      if (!(error instanceof ServerError)) this.#fail(error);
    });
    return true;
  }

  async #take(node: SimNode, isLocal: boolean, pauseMs: number): Promise<void> {
    const fromMs = this.#time.nowMs;
    const { server } = node;
    if (server === null) return;
    const pieces: Uint8Array[] = [];
    for await (const piece of await server.backup({ isLocal })) {
      pieces.push(piece);
      await this.#time.pause(pauseMs);
      // Its process is gone, and the connection with it.
      if (node.server !== server) return;
    }
    try {
      const { tree, summary } = await loadBackup(streamOf(pieces));
      const { zxid, digest } = summary;
      const register = (path: string): ReturnType<TakenBackup["register"]> => read(tree, path);
      this.#taken.push({ fromMs, isFresh: !isLocal, zxid, digest, register });
    } catch (error) {
      this.#fail(new Violation("B whole", `a backup of ${node.name}: ${String(error)}`));
    }
  }
}

/**
 * A backup holds every register as it was at the backup's revision, and everything that was answered before it was asked
 * for; equal revisions are equal backups.
 */
export function checkBackups(
  taken: readonly TakenBackup[],
  history: readonly HistoryRecord[],
): void {
  const digests = new Map<number, string>();
  for (const backup of taken) {
    const digest = digests.get(backup.zxid) ?? backup.digest;
    digests.set(backup.zxid, digest);
    if (digest !== backup.digest) {
      const text = `two backups at ${backup.zxid} have ${digest} and ${backup.digest}`;
      throw new Violation("B equal", text);
    }
    for (const record of history) checkRecord(backup, record);
  }
}

function checkRecord(backup: TakenBackup, record: HistoryRecord): void {
  if (record.kind !== "operation" || record.outcome.kind !== "ok") return;
  const { zxid, observed } = record.outcome;
  if (zxid === null || observed === null) return;
  if (zxid > backup.zxid) {
    if (!backup.isFresh || record.returnedMs > backup.fromMs) return;
    const text = `one at ${backup.zxid}, asked for after ${zxid} was answered`;
    throw new Violation("B fresh", text);
  }
  const held = backup.register(record.path);
  const isThere = held !== null && (held.zxid > zxid || held.value === observed.value);
  if (isThere && held.zxid >= zxid && held.zxid <= backup.zxid) return;
  const text = `one at ${backup.zxid} has ${held?.value} of ${held?.zxid} at ${record.path}, ${zxid} was ${observed.value}`;
  throw new Violation("B content", text);
}

function read(tree: DataTree, path: string): ReturnType<TakenBackup["register"]> {
  const found = tree.read({ kind: "get", path });
  if (!found.ok || found.value.kind !== "get") return null;
  const { data, stat } = found.value;
  return { value: new TextDecoder().decode(data), zxid: stat.mzxid };
}

async function* streamOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
