import { nodeId, term } from "@quorate/raft";
import { Packr } from "msgpackr";
import { crc32 } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import { ServerError } from "../errors.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import {
  createIdentity,
  FORMATION_BYTES_MAX,
  laterHardState,
  loadIdentity,
  newIdentity,
  type Identity,
  type IdentityFile,
} from "./identity.ts";

const IDENTITY = newIdentity({
  nodeId: nodeId(2 ** 47 + 1),
  name: "n1",
  logTag: new Uint8Array(16).fill(3),
});

async function created(seed = 1) {
  const files = new MemoryFiles({ seed });
  await files.makeDirectory("/data");
  return { files, identity: await createIdentity(files, "/data", IDENTITY) };
}

async function loaded(files: MemoryFiles): Promise<IdentityFile> {
  const identity = await loadIdentity(files, "/data");
  if (identity === null) throw new Error("no identity");
  return identity;
}

const packr = new Packr({ useRecords: false, moreTypes: false });

/** Writes both slots anew, with what `change` makes of their content and under `version`, checksummed as it should be. */
async function rewritten(
  files: MemoryFiles,
  version: number,
  change: (fields: readonly unknown[]) => readonly unknown[],
): Promise<void> {
  const file = await files.open("/data/identity", { create: false, durable: true });
  for (const position of [0, 16_384]) {
    const slot = await file.read(position, 16_384);
    const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
    const fields: readonly unknown[] = packr.unpack(slot.slice(28, 28 + view.getUint32(24, true)));
    const content = packr.pack(change(fields));
    slot.set(content, 28);
    view.setUint32(12, version, true);
    view.setUint32(24, content.length, true);
    view.setUint32(8, crc32(slot.subarray(12, 28 + content.length)), true);
    await file.write(position, slot);
  }
  await file.close();
}

describe("identity file", () => {
  test("of an older format is refused, and one of this format has all that belongs to it", async () => {
    const { files, identity } = await created();
    await identity.close();
    await rewritten(files, 4, (fields) => fields);
    expect((await loaded(files)).current).toEqual(IDENTITY);
    await rewritten(files, 4, (fields) => fields.slice(0, -1));
    await expect(loaded(files)).rejects.toMatchObject({ code: "IDENTITY_DAMAGED" });
    await rewritten(files, 3, (fields) => fields);
    await expect(loaded(files)).rejects.toMatchObject({
      code: "FORMAT_UNKNOWN",
      message: expect.stringContaining("/data/identity has format 3"),
    });
  });

  test("is whole while the medium gives one copy back, and written again where it does not", async () => {
    for (const position of [0, 16_384]) {
      const { files, identity } = await created();
      await identity.recordVote({ term: term(4), votedFor: nodeId(2) }, 3);
      await identity.close();
      files.breakSector("/data/identity", position + 600);
      const found = await loaded(files);
      expect(found.current.hardState).toEqual({ term: 4, votedFor: 2 });
      await found.makeDurable();
      await found.close();
      files.breakSector("/data/identity", 16_384 - position);
      expect((await loaded(files)).current.hardState).toEqual({ term: 4, votedFor: 2 });
    }
  });

  test("cannot be told where the medium gives neither copy back whole: it is not said to be damaged", async () => {
    for (const spoil of ["breakSector", "flipBit"] as const) {
      const { files, identity } = await created();
      await identity.close();
      files.breakSector("/data/identity", 0);
      files[spoil]("/data/identity", 16_384);
      await expect(loaded(files)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    }
  });

  test("comes back as it was made and changed", async () => {
    const { files, identity } = await created();
    expect((await loaded(files)).current).toEqual(IDENTITY);
    const limits = { bytesMax: 2 ** 40, sessionsMax: 7, sessionEphemeralsMax: 0 };
    const formation = Uint8Array.of(1, 2);
    await identity.update({ clusterId: "c", formation, limits, image: "image-4", memberSince: 5 });
    await identity.update({ conflictIndex: 7 });
    await identity.recordVote({ term: term(2 ** 50), votedFor: nodeId(9) }, 12);
    const after = await loaded(files.crash());
    expect(after.current).toEqual({
      ...IDENTITY,
      clusterId: "c",
      formation,
      limits,
      image: "image-4",
      hardState: { term: 2 ** 50, votedFor: 9 },
      hasVoted: true,
      logSequence: 12,
      memberSince: 5,
      conflictIndex: 7,
    });
  });

  test("a new directory has none, one with a log or an image has lost it", async () => {
    const files = new MemoryFiles();
    expect(await loadIdentity(files, "/data")).toBeNull();
    await files.makeDirectory("/data/other");
    expect(await loadIdentity(files, "/data")).toBeNull();
    await files.makeDirectory("/data/image-3");
    await expect(loadIdentity(files, "/data")).rejects.toMatchObject({ code: "IDENTITY_LOST" });
    await files.remove("/data/image-3");
    await files.makeDirectory("/data/log");
    await expect(loadIdentity(files, "/data")).rejects.toMatchObject({ code: "IDENTITY_LOST" });
  });

  test("has room for the longest formation beside everything else", async () => {
    const { files, identity } = await created();
    const most = Number.MAX_SAFE_INTEGER;
    const longest: Identity = {
      ...IDENTITY,
      clusterId: "c".repeat(64),
      historyId: "h".repeat(64),
      name: "n".repeat(63),
      formation: new Uint8Array(FORMATION_BYTES_MAX),
      limits: { bytesMax: most, sessionsMax: most, sessionEphemeralsMax: most },
      hardState: { term: term(most), votedFor: nodeId(most) },
      image: `image-${most}`,
      logSequence: most,
      memberSince: most,
    };
    await identity.update(longest);
    expect((await loaded(files)).current).toEqual(longest);
  });

  test("is not made twice", async () => {
    const { files } = await created();
    await expect(createIdentity(files, "/data", IDENTITY)).rejects.toMatchObject({
      code: "IDENTITY_MISMATCH",
    });
  });

  test.each([1, 2, 3, 4])("is there for good once it was read, seed %i", async (seed) => {
    const files = new MemoryFiles({ seed });
    await files.makeDirectory("/data");
    const held = files.holdNext("rename");
    const unfinished = createIdentity(files, "/data", IDENTITY);
    await held.reached;
    // The next process finds a name in the cache that the disk may not have.
    expect((await loaded(files)).current).toEqual(IDENTITY);
    expect((await loaded(files.crash())).current).toEqual(IDENTITY);
    held.release();
    void unfinished;
  });

  test("either slot may be damaged without the vote being forgotten", async () => {
    for (const slot of [0, 16_384]) {
      for (const at of [0, 9, 13, 20, 25, 40]) {
        const { files, identity } = await created();
        await identity.recordVote({ term: term(5), votedFor: nodeId(2) }, 1);
        await identity.close();
        files.flipBit("/data/identity", slot + at);
        const after = await loaded(files);
        expect(after.current.hardState, `${slot + at}`).toEqual({ term: 5, votedFor: 2 });
        // It is made good before anything is built upon it: then the other slot may go.
        await after.makeDurable();
        await after.close();
        files.flipBit("/data/identity", 16_384 - slot + at);
        expect((await loaded(files)).current.hardState).toEqual({ term: 5, votedFor: 2 });
      }
    }
  });

  test("the copy that holds is not written before the other one is good", async () => {
    for (const damaged of [0, 16_384]) {
      const { files, identity } = await created();
      await identity.recordVote({ term: term(5), votedFor: nodeId(2) }, 1);
      await identity.close();
      files.flipBit("/data/identity", damaged + 40);
      const written: number[] = [];
      const open = files.open.bind(files);
      vi.spyOn(files, "open").mockImplementation(async (path, options) => {
        const file = await open(path, options);
        const write = file.write.bind(file);
        file.write = (position, bytes) => {
          written.push(position);
          return write(position, bytes);
        };
        return file;
      });
      const read = await loaded(files);
      expect(written).toEqual([]);
      await read.makeDurable();
      await read.close();
      expect(written).toEqual([damaged, 16_384 - damaged]);
    }
  });

  test("what the disk refused and the cache still shows is kept once something is built upon it", async () => {
    for (let seed = 1; seed <= 16; seed += 1) {
      const { files, identity } = await created(seed);
      await identity.recordVote({ term: term(1), votedFor: nodeId(1) }, 1);
      await identity.makeDurable();
      files.failNext("write", new ServerError("STORAGE_FAILED", "EIO"));
      const refused = identity.recordVote({ term: term(2), votedFor: nodeId(2) }, 2);
      await expect(refused).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      const next = files.restart();
      const read = await loaded(next);
      expect(read.current.hardState).toEqual({ term: 2, votedFor: 2 });
      await read.makeDurable();
      expect((await loaded(next.crash())).current.hardState).toEqual({ term: 2, votedFor: 2 });
    }
  });

  test("both damaged is told", async () => {
    const { files } = await created();
    files.flipBit("/data/identity", 40);
    files.flipBit("/data/identity", 16_384 + 40);
    await expect(loadIdentity(files, "/data")).rejects.toMatchObject({ code: "IDENTITY_DAMAGED" });
  });

  test("power lost at any step leaves the old or the new one, and the new one once it is told", async () => {
    for (const seed of [1, 2, 3]) {
      for (let stopAt = 1; ; stopAt += 1) {
        const { files, identity } = await created(seed);
        let steps = 0;
        let restarted: MemoryFiles | null = null;
        let crashed = (): void => {};
        const crash = new Promise<void>((resolve) => {
          crashed = resolve;
        });
        files.setOnStep(() => {
          steps += 1;
          if (steps === stopAt) {
            restarted = files.crash();
            restarted.setOnStep(null);
            crashed();
          }
          return null;
        });
        let told = 0;
        const votes = (async () => {
          for (let at = 1; at <= 3; at += 1) {
            await identity.recordVote({ term: term(at), votedFor: nodeId(at) }, at);
            told = at;
          }
        })();
        await Promise.race([votes, crash]);
        if (restarted === null) break;
        const { hardState } = (await loaded(restarted)).current;
        expect([told, told + 1], `step ${stopAt}`).toContain(hardState.term);
      }
    }
  });

  test("power lost while it is made leaves none or all of it", async () => {
    for (let stopAt = 1; ; stopAt += 1) {
      const files = new MemoryFiles({ seed: stopAt });
      await files.makeDirectory("/data");
      let steps = 0;
      let restarted: MemoryFiles | null = null;
      let crashed = (): void => {};
      const crash = new Promise<void>((resolve) => {
        crashed = resolve;
      });
      files.setOnStep(() => {
        steps += 1;
        if (steps === stopAt) {
          restarted = files.crash();
          restarted.setOnStep(null);
          crashed();
        }
        return null;
      });
      await Promise.race([createIdentity(files, "/data", IDENTITY), crash]);
      if (restarted === null) break;
      const identity = await loadIdentity(restarted, "/data");
      if (identity !== null) expect(identity.current).toEqual(IDENTITY);
      else await createIdentity(restarted, "/data", IDENTITY);
    }
  });

  test("updates are carried out in order, and after an error none is", async () => {
    const { files, identity } = await created();
    const both = [identity.update({ clusterId: "a" }), identity.update({ historyId: "b" })];
    await Promise.all(both);
    expect(identity.current).toMatchObject({ clusterId: "a", historyId: "b" });
    const failed = new ServerError("STORAGE_FAILED", "planned");
    files.failNext("write", failed);
    const refused = [identity.update({ clusterId: "c" }), identity.update({ clusterId: "d" })];
    for (const each of refused) await expect(each).rejects.toBe(failed);
    expect(identity.current.clusterId).toBe("a");
  });

  test("of two votes the later one is in force", () => {
    const none = { term: term(3), votedFor: null };
    const vote = { term: term(3), votedFor: nodeId(1) };
    const next = { term: term(4), votedFor: null };
    expect(laterHardState(none, vote)).toBe(vote);
    expect(laterHardState(vote, none)).toBe(vote);
    expect(laterHardState(vote, next)).toBe(next);
    expect(laterHardState(next, vote)).toBe(next);
  });
});
