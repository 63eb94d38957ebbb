import { DataTree, TREE_LIMITS, type TreeLimits } from "@quorate/kv-store";
import { sessionId, writeSeq, zxid } from "@quorate/kv-store/protocol";
import { logIndex, term, type LogIndex } from "@quorate/raft";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loneMembership } from "../../../../tests/support/members.ts";
import { ServerError } from "../errors.ts";
import { encodeImageMeta, IMAGE_META_KEY } from "../image/image-meta.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import type { ImageView } from "../ports.ts";
import type { BackupRecord } from "./backup-format.ts";
import { BackupReader } from "./backup-reader.ts";
import { writeBackup } from "./backup-writer.ts";
import { NodeBackups } from "./node-backups.ts";
import { loadBackup, verifyBackup } from "./verify-backup.ts";

const LIMITS: TreeLimits = { ...TREE_LIMITS, bytesMax: 123_456_789 };

/** The image of a small tree, as a checkpoint writes it. */
function imageRecords(): readonly BackupRecord[] {
  const tree = new DataTree(LIMITS);
  const stamp = { timeMs: 1_000, clockMs: 1_000 };
  const attach = { node: 1, address: "a", principal: "", clientName: "" };
  const verifier = new Uint8Array(16).fill(7);
  tree.apply(zxid(1), 1, stamp, { kind: "openSession", verifier, timeoutMs: 5_000, attach });
  for (let at = 2; at < 60; at += 1) {
    const path = `/znode-${at}`;
    const data = new Uint8Array(at * 10).fill(at);
    tree.apply(zxid(at), 1, stamp, {
      kind: "write",
      session: sessionId(1),
      epoch: 0,
      writeSeq: writeSeq(at - 1),
      ackedSeq: 0,
      ops: [{ kind: "create", path, data, mode: at % 2 === 0 ? "persistent" : "ephemeral" }],
    });
  }
  const meta = {
    clusterId: "cluster",
    historyId: "cluster-1",
    snapshot: {
      index: logIndex(59),
      term: term(1),
      membership: loneMembership(1),
    },
  };
  const records: BackupRecord[] = [[IMAGE_META_KEY, encodeImageMeta(meta)]];
  const checkpoint = tree.freeze();
  for (;;) {
    const page = checkpoint.next(100, 1e6);
    if (page.length === 0) break;
    for (const { key, value } of page) if (value !== null) records.push([key, value.slice()]);
  }
  return records;
}

const PIECE_BYTES = 65_536;
const RECORDS = imageRecords();

/** `onClose` may throw: then closing fails. */
function viewOf(records: readonly BackupRecord[], onClose = (): void => undefined): ImageView {
  let at = 0;
  return {
    next: async (countMax) => {
      const page = records.slice(at, at + Math.min(countMax, 20));
      at += page.length;
      return page;
    },
    close: async () => onClose(),
  };
}

async function bytesOf(backup: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of backup) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* portions(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("a backup", () => {
  test("gives back what was in it, in whatever portions it comes", async () => {
    const bytes = await bytesOf(writeBackup(viewOf(RECORDS), PIECE_BYTES));
    for (const size of [1, 7, 64, 4_096, bytes.length]) {
      const reader = new BackupReader();
      const records: BackupRecord[] = [];
      for await (const portion of portions(bytes, size)) {
        for (const [key, value] of reader.feed(portion)) records.push([key, value.slice()]);
      }
      reader.finish();
      expect(reader.byteCount).toBe(bytes.length);
      expect(records.map(([key]) => key)).toEqual(RECORDS.map(([key]) => key));
      expect(records.every(([, value], at) => Buffer.compare(value, RECORDS[at]![1]) === 0)).toBe(
        true,
      );
    }
  });

  test("tells what it stands for, whatever limits it was written under", async () => {
    const bytes = await bytesOf(writeBackup(viewOf(RECORDS), PIECE_BYTES));
    const { tree, summary } = await loadBackup(portions(bytes, 1_000));
    expect(summary).toEqual({
      zxid: 59,
      term: 1,
      znodes: 59,
      sessions: 1,
      digest: tree.digest(),
      clusterId: "cluster",
      historyId: "cluster-1",
      bytes: bytes.length,
    });
  });

  test("with any byte changed, cut off, or something behind it, is damaged", async () => {
    const bytes = await bytesOf(writeBackup(viewOf(RECORDS), PIECE_BYTES));
    const damaged = { code: expect.stringMatching(/BACKUP_DAMAGED|FORMAT_UNKNOWN/) };
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, x) => {
          const changed = Buffer.from(bytes);
          changed[at] = (changed[at] ?? 0) ^ x;
          await expect(verifyBackup(portions(changed, 5_000))).rejects.toMatchObject(damaged);
          const cut = bytes.subarray(0, at);
          await expect(verifyBackup(portions(cut, 5_000))).rejects.toMatchObject(damaged);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
    const longer = Buffer.concat([bytes, Buffer.of(0)]);
    await expect(verifyBackup(portions(longer, 5_000))).rejects.toMatchObject(damaged);
  });

  test("that lacks a record is damaged, however well it was written", async () => {
    const without = RECORDS.filter(([key]) => key !== "n/znode-30");
    const bytes = await bytesOf(writeBackup(viewOf(without), PIECE_BYTES));
    await expect(verifyBackup(portions(bytes, 5_000))).rejects.toMatchObject({
      code: "BACKUP_DAMAGED",
    });
  });
});

describe("the backups of a node", () => {
  function setUp() {
    const clock = new ManualClock();
    const state = { index: 5, opened: 0, closed: 0, isBroken: false };
    const reads: { index: number | null }[] = [];
    const openView = async (): Promise<ImageView> => {
      state.opened += 1;
      return viewOf(RECORDS, () => {
        state.closed += 1;
        if (state.isBroken) throw new ServerError("STORAGE_FAILED", "planned");
      });
    };
    const confirm = (read: { index: number | null }): void => void reads.push(read);
    const appliedIndex = (): LogIndex => logIndex(state.index);
    const backups = new NodeBackups({ clock, confirm, appliedIndex, openView }, PIECE_BYTES);
    return { clock, state, reads, backups };
  }

  test("wait until the node has everything that was acknowledged", async () => {
    const { clock, state, reads, backups } = setUp();
    const begun = backups.begin(false);
    for (const index of [null, 6]) {
      for (const read of reads) read.index = index;
      clock.advance(100);
      await Promise.resolve();
      expect(state.opened).toBe(0);
    }
    state.index = 6;
    clock.advance(100);
    await verifyBackup(await begun);
    expect(state).toMatchObject({ opened: 1, closed: 1 });
  });

  test("are refused without a quorum, unless the node's own state will do", async () => {
    const { clock, state, backups } = setUp();
    const begun = backups.begin(false);
    clock.advance(60_000);
    await expect(begun).rejects.toMatchObject({ code: "NOT_READY" });
    await verifyBackup(await backups.begin(true));
    expect(state).toMatchObject({ opened: 1, closed: 1 });
  });

  test("are refused while the node has nothing yet", async () => {
    const { state, backups } = setUp();
    state.index = 0;
    await expect(backups.begin(true)).rejects.toMatchObject({ code: "NOT_READY" });
    expect(state.opened).toBe(0);
    expect(backups.count).toBe(0);
  });

  test("are two at a time, and one that nobody reads is given up", async () => {
    const { clock, state, backups } = setUp();
    const forgotten = await backups.begin(true);
    await backups.begin(true);
    await expect(backups.begin(true)).rejects.toMatchObject({ code: "OVERLOADED" });
    clock.advance(100_000);
    expect(state.closed).toBe(2);
    await expect(verifyBackup(forgotten)).rejects.toMatchObject({ code: "STOPPED" });
    await verifyBackup(await backups.begin(true));
  });

  test("that are given up do not mind that their view cannot be closed, those that are read do", async () => {
    const { clock, state, backups } = setUp();
    const forgotten = await backups.begin(true);
    const read = await backups.begin(true);
    state.isBroken = true;
    await expect(verifyBackup(read)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    clock.advance(100_000);
    // What nobody catches is reported between turns of the event loop.
    await new Promise(setImmediate);
    expect([state.closed, backups.count]).toEqual([2, 0]);
    await expect(verifyBackup(forgotten)).rejects.toMatchObject({ code: "STOPPED" });
    await backups.begin(true);
    await backups.stop();
    expect([state.closed, backups.count]).toEqual([3, 0]);
  });

  test("end when the node stops or the reader leaves", async () => {
    const { state, backups } = setUp();
    for await (const piece of await backups.begin(true)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(state.closed).toBe(1);
    await backups.begin(true);
    await backups.stop();
    expect(state.closed).toBe(2);
    await expect(backups.begin(true)).rejects.toMatchObject({ code: "STOPPED" });
  });
});
