import type { DataTree } from "@quorate/kv-store";
import { loadBackup } from "../../../packages/server/src/backup/verify-backup.ts";
import { ServerError } from "../../../packages/server/src/errors.ts";
import type { QuorateServer } from "../../../packages/server/src/quorate-server.ts";
import { toldBy, type HistoryRecord } from "../../linearizability/history.ts";
import { Violation } from "../violation.ts";
import type { SimNode } from "./sim-node.ts";
import type { Values } from "./values.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A backup that was read whole. */
export interface TakenBackup {
  readonly node: string;
  /** When it was asked for. */
  readonly fromMs: number;
  /** What was answered before it was asked for has to be in it. */
  readonly isFresh: boolean;
  readonly zxid: number;
  readonly digest: string;
  /** What it holds of a register: null for nothing. */
  register(path: string): { readonly value: string; readonly zxid: number } | null;
}

interface Asked {
  readonly node: SimNode;
  readonly server: QuorateServer;
  readonly isLocal: boolean;
  readonly pauseMs: number;
}

/** Why a node may refuse a backup, or break it off; the last two while its disk is not what it should be. */
const REFUSALS: ReadonlySet<string> = new Set([
  ...["NOT_READY", "OVERLOADED", "STORAGE_FULL", "STOPPED"],
  ...["STORAGE_FAILED", "IMAGE_CORRUPT"],
]);
const LOOK_MS = 50;

/** Backups of the whole tree that an operator takes while everything goes on. Those that nodes refuse or break off are none. */
export class Backups {
  readonly #time: VirtualTime;
  readonly #values: Values;
  readonly #taken: TakenBackup[] = [];
  readonly #fail: (error: unknown) => void;

  constructor(time: VirtualTime, values: Values, fail: (error: unknown) => void) {
    this.#time = time;
    this.#values = values;
    this.#fail = fail;
  }

  get taken(): readonly TakenBackup[] {
    return this.#taken;
  }

  /** Begins one on a node, to be read with so long a pause after every piece. False: nobody is there to be asked. */
  take(node: SimNode, isLocal: boolean, pauseMs: number): boolean {
    const { server } = node;
    if (server === null || node.isStopped) return false;
    this.#take({ node, server, isLocal, pauseMs }).catch((error: unknown) => {
      if (!(error instanceof ServerError) || !REFUSALS.has(error.code)) this.#fail(error);
    });
    return true;
  }

  async #take({ node, server, isLocal, pauseMs }: Asked): Promise<void> {
    const fromMs = this.#time.nowMs;
    const pieces: Uint8Array[] = [];
    for await (const piece of await server.backup({ isLocal })) {
      pieces.push(piece);
      await this.#time.pause(pauseMs);
      while (node.isStopped) await this.#time.pause(LOOK_MS);
      // Its process is gone, and the connection with it.
      if (node.server !== server) return;
    }
    try {
      const { tree, summary } = await loadBackup(streamOf(pieces));
      const { zxid, digest } = summary;
      const register = (path: string): ReturnType<TakenBackup["register"]> =>
        this.#read(tree, path);
      this.#taken.push({ node: node.name, fromMs, isFresh: !isLocal, zxid, digest, register });
    } catch (error) {
      this.#fail(new Violation("B whole", `a backup of ${node.name}: ${String(error)}`));
    }
  }

  #read(tree: DataTree, path: string): ReturnType<TakenBackup["register"]> {
    const found = tree.read({ kind: "get", path });
    if (!found.ok || found.value.kind !== "get") return null;
    const { data, stat } = found.value;
    return { value: this.#values.nameOf(data), zxid: stat.mzxid };
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
  const told = toldBy(record);
  if (told === null || record.kind !== "operation") return;
  const { path, zxid, value } = told;
  if (zxid > backup.zxid) {
    if (!backup.isFresh || record.returnedMs > backup.fromMs) return;
    const text = `one at ${backup.zxid}, asked for after ${zxid} was answered`;
    throw new Violation("B fresh", text);
  }
  const held = backup.register(path);
  const isThere = held !== null && (held.zxid > zxid || held.value === value);
  if (isThere && held.zxid >= zxid && held.zxid <= backup.zxid) return;
  const text = `one at ${backup.zxid} has ${held?.value} of ${held?.zxid} at ${path}, ${zxid} was ${value}`;
  throw new Violation("B content", text);
}

async function* streamOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
