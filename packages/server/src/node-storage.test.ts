import { logIndex, nodeId, term, type HardState } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import {
  checkpoint,
  crashDuring,
  closeNode as close,
  DIRECTORY,
  entries,
  IDS,
  metaAt,
  newDisk,
  openNode as open,
  HARD_STATE,
  persist,
  persistCommands,
  PINNED_BYTES,
  receive,
  SNAPSHOT_INDEX,
  type NodeDisk,
} from "../../../tests/support/node-disk.ts";
import { ServerError } from "./errors.ts";
import { encodeEntries } from "./storage/entry-codec.ts";
import { scanLog, type LogScanItem } from "./storage/log-scan.ts";

describe("a node's storage", () => {
  test("starts from the formation, and again from what was made durable", async () => {
    const disk = newDisk();
    const first = await open(disk);
    expect(first.initial).toMatchObject({ snapshot: metaAt(0), entries: [] });
    await first.storage.recordVote(HARD_STATE);
    await persist(first.storage, entries(1, 3));
    await close(first);
    await disk.files.makeDirectory(`${DIRECTORY}/image-9`);
    const second = await open(disk);
    expect(await disk.files.list(DIRECTORY)).not.toContain("image-9");
    expect(second.initial.entries).toEqual(entries(1, 3));
    expect(second.initial.hardState).toEqual(HARD_STATE);
    await close(second);
  });

  test("trusts the later of its two copies of the vote", async () => {
    const disk = newDisk();
    const first = await open(disk);
    await persist(first.storage, entries(1, 1));
    const vote = { term: term(9), votedFor: nodeId(6) };
    await first.storage.recordVote(vote);
    await close(first);
    const second = await open(disk);
    expect(second.initial.hardState).toEqual(vote);
    await close(second);
  });

  test("puts a received image in force before the log says that it starts there", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const { storage, identity } = opened;
    await persist(storage, entries(1, 3));
    const snapshot = await receive(storage);
    storage.stage(snapshot);
    const seen: string[] = [];
    disk.files.setOnStep(({ operation, path, phase }) => {
      if (phase !== "before" || operation === "read") return null;
      if (path.includes("/log/") && operation === "write")
        seen.push(`log ${identity.current.image}`);
      if (operation === "syncDirectory" && path === DIRECTORY) seen.push("directory");
      return null;
    });
    await persist(storage, entries(51, 52), snapshot.meta);
    disk.files.setOnStep(null);
    expect(seen).toEqual(["directory", `log ${snapshot.directory}`]);
    storage.install(Promise.resolve());
    await close(opened);
    const again = await open(disk);
    expect(again.initial.snapshot).toEqual(snapshot.meta);
    expect(again.initial.entries).toEqual(entries(51, 52));
    expect((await disk.files.list(DIRECTORY)).filter((name) => name.startsWith("image"))).toEqual([
      snapshot.directory,
    ]);
    await close(again);
  });

  test("writes nothing for a snapshot that it does not hold", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    await persist(opened.storage, entries(1, 3));
    await expect(persist(opened.storage, [], metaAt(50))).rejects.toMatchObject({
      code: "IMAGE_CORRUPT",
    });
    await close(opened);
    const again = await open(disk);
    expect(again.initial.entries).toEqual(entries(1, 3));
    await close(again);
  });

  test("goes on behind a snapshot that was in force when the log could not say so any more", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    await persist(opened.storage, entries(1, 3));
    const snapshot = await receive(opened.storage);
    await opened.identity.update({ image: snapshot.directory, logSequence: 1 });
    await snapshot.image.close();
    await close(opened);
    for (let start = 0; start < 2; start += 1) {
      const again = await open(disk);
      expect(again.initial).toMatchObject({ snapshot: snapshot.meta, entries: [], firstIndex: 51 });
      await close(again);
    }
  });

  test("takes a staged image away that nobody wants, and never one in force", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const { storage } = opened;
    const unwanted = await receive(storage);
    storage.stage(unwanted);
    await storage.unstage();
    expect(await disk.files.list(DIRECTORY)).not.toContain(unwanted.directory);
    const wanted = await receive(storage);
    storage.stage(wanted);
    await persist(storage, [], wanted.meta);
    await storage.unstage();
    const next = await storage.createImage();
    expect(next.directory).not.toBe(wanted.directory);
    await storage.discardImage(next.image, next.directory);
    expect(await disk.files.list(DIRECTORY)).toContain(wanted.directory);
    storage.install(Promise.resolve());
    expect(storage.image).toBe(wanted.image);
    await close(opened);
    await close(await open(disk));
  });

  test("gives the old image to the old state until the new one is installed", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const { storage, tree } = opened;
    const old = storage.image;
    await persist(storage, entries(1, 3));
    const snapshot = await receive(storage);
    storage.stage(snapshot);
    await persist(storage, entries(51, 52), snapshot.meta);
    expect(storage.image).toBe(old);
    // A backup may ask for a checkpoint of the state as it still is.
    await checkpoint(tree, storage.image, 3);
    storage.install(Promise.resolve());
    expect(storage.image).toBe(snapshot.image);
    await close(opened);
    const again = await open(disk);
    expect(again.initial.snapshot).toEqual(snapshot.meta);
    expect(again.initial.entries).toEqual(entries(51, 52));
    await close(again);
  });

  test("keeps the old image until nothing uses it any more", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const { storage } = opened;
    const old = storage.image;
    const snapshot = await receive(storage);
    storage.stage(snapshot);
    await persist(storage, [], snapshot.meta);
    let settle = (): void => {};
    storage.install(
      new Promise<void>((resolve) => {
        settle = resolve;
      }),
    );
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    await expect(old.getMany(["@image"])).resolves.toEqual([null]);
    settle();
    await close(opened);
    await expect(old.getMany(["@image"])).rejects.toMatchObject({ code: "STOPPED" });
  });

  test("takes old images away although one before them could not be, and says so at the end", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const { storage } = opened;
    const failed = new ServerError("STORAGE_FAILED", "planned");
    disk.files.setOnStep(({ operation, path, phase }) => {
      const isDue = operation === "remove" && path.endsWith("/image-1") && phase === "before";
      return isDue ? Promise.reject(failed) : null;
    });
    for (const index of [50, 60]) {
      const snapshot = await receive(storage, index);
      storage.stage(snapshot);
      await persist(storage, [], snapshot.meta);
      storage.install(Promise.resolve());
    }
    await expect(storage.close()).rejects.toBe(failed);
    await opened.identity.close();
    const names = await disk.files.list(DIRECTORY);
    expect(names.filter((name) => name.startsWith("image"))).toEqual(["image-1", "image-3"]);
    expect(disk.logger.lines.map(({ level }) => level)).toEqual(["error"]);
  });

  test("touches nothing while another process has it open", async () => {
    const disk = newDisk();
    const first = await open(disk);
    const received = await first.storage.createImage();
    await expect(open(disk)).rejects.toMatchObject({ code: "STORAGE_LOCKED" });
    expect(disk.files.namesIn(DIRECTORY)).toContain(received.directory);
    await first.storage.discardImage(received.image, received.directory);
    await close(first);
  });

  test("leaves nothing open when it cannot be opened", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const batch = opened.storage.image.batch();
    batch.put("@image", Uint8Array.of(1));
    await batch.write();
    await close(opened);
    await expect(open(disk)).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
    await expect(open(disk)).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
  });

  test.each(["image-1", "log"])(
    "leaves no new %s open when the identity cannot name it",
    async (part) => {
      const disk = newDisk();
      const failed = new ServerError("STORAGE_FAILED", "planned");
      let openFiles = 0;
      disk.files.setOnStep(({ operation, path, phase }) => {
        if (path.startsWith(`${DIRECTORY}/${part}/`) && phase === "during") {
          if (operation === "open") openFiles += 1;
          if (operation === "close") openFiles -= 1;
        }
        const isOfIdentity = path.startsWith(`${DIRECTORY}/identity`);
        if (isOfIdentity && openFiles > 0) disk.files.failNext("write", failed);
        return null;
      });
      await expect(open(disk)).rejects.toBe(failed);
      expect(openFiles).toBe(0);
      disk.files.setOnStep(null);
      await close(await open(disk));
    },
  );

  test("does not take a log that lost its end for one that a snapshot is about to replace", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const { storage, tree } = opened;
    for (let at = 1; at <= 3; at += 1) await persist(storage, entries(at, at));
    await checkpoint(tree, storage.image, 3);
    await close(opened);
    await loseLastRecord(disk);
    await expect(open(disk)).rejects.toMatchObject({ code: "LOG_CORRUPT" });
  });

  test("does not start again with what a leader contradicted, and keeps it as it is, damaged or not", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    await persist(opened.storage, entries(1, 3));
    const [leader, index, one] = [nodeId(9), logIndex(2), term(1)];
    const conflict = { index, term: one, leader, leaderTerm: term(3), theirTerm: term(3) };
    await expect(opened.storage.noteConflict(conflict)).resolves.toMatchObject({
      code: "LOG_CONFLICT",
    });
    await close(opened);
    await expect(open(disk)).rejects.toMatchObject({ code: "LOG_CONFLICT" });
    await loseLastRecord(disk);
    await expect(open(disk)).rejects.toMatchObject({ code: "LOG_CONFLICT" });
  });

  test("knows after a checkpoint how far its log had come", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const { storage, tree } = opened;
    await persist(storage, entries(1, 2));
    await checkpoint(tree, storage.image, 2);
    await persist(storage, entries(3, 3));
    await storage.trim(logIndex(2), null);
    await close(opened);
    await loseLastRecord(disk);
    await expect(open(disk)).rejects.toMatchObject({ code: "LOG_CORRUPT" });
  });

  test("refuses an image of another ensemble and of another history", async () => {
    for (const change of [{ clusterId: "other" }, { historyId: "other" }]) {
      const disk = newDisk();
      const opened = await open(disk);
      const { storage, tree } = opened;
      await persist(storage, entries(1, 3));
      await checkpoint(tree, storage.image, 3, { ...IDS, ...change });
      await close(opened);
      await expect(open(disk)).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
    }
  });

  test("has a vote in both copies before it may be told, wherever power is lost while it is written", async () => {
    const outcomes = new Set<number>();
    const vote: HardState = { term: term(3), votedFor: nodeId(7) };
    for (let cutAt = 1; cutAt < 12; cutAt += 1) {
      const disk = newDisk(cutAt);
      const { storage } = await open(disk);
      const work = { ticket: { seq: 1 }, hardState: vote, entries: [], snapshot: null };
      let isTold = false;
      const crashed = await crashDuring(disk, cutAt, async () => {
        await Promise.all([storage.recordVote(vote), storage.persist(work, encodeEntries([]))]);
        isTold = true;
      });
      const second = await open(crashed);
      const { hardState } = second.initial;
      expect(second.identity.current.hardState, `step ${cutAt}`).toEqual(hardState);
      if (isTold) expect(hardState).toEqual(vote);
      outcomes.add(hardState.term);
      await close(second);
    }
    expect([...outcomes].sort()).toEqual([0, 3]);
  });

  test("trims the log behind the image it started from at its next checkpoint", async () => {
    const disk = newDisk();
    const first = await open(disk);
    await persistCommands(first.storage, 1, 300, 1000);
    await checkpoint(first.tree, first.storage.image, 200);
    await first.storage.trim(logIndex(200), null);
    expect(first.storage.logFirstIndex).toBe(1);
    await close(first);
    const second = await open(disk);
    expect(second.storage.logFirstIndex).toBe(1);
    await checkpoint(second.tree, second.storage.image, 300);
    await second.storage.trim(logIndex(300), null);
    expect(second.storage.logFirstIndex).toBeGreaterThan(100);
    expect(second.storage.logFirstIndex).toBeLessThanOrEqual(201);
    await close(second);
    await close(await open(disk));
  });

  test("trims the log behind the third last checkpoint", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const { storage } = opened;
    await persistCommands(storage, 1, 400, 1000);
    await storage.trim(logIndex(200), null);
    await storage.trim(logIndex(300), null);
    expect(storage.logFirstIndex).toBe(1);
    await storage.trim(logIndex(400), null);
    expect(storage.logFirstIndex).toBeGreaterThan(1);
    expect(storage.logFirstIndex).toBeLessThanOrEqual(201);
    await close(opened);
    // Nothing was ever written to the image: it is older than what is left of the log.
    await expect(open(disk)).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
  });

  test("keeps what a snapshot under way pins, as long as the log stays within its bound", async () => {
    const disk = newDisk();
    const opened = await open(disk);
    const { storage } = opened;
    await persistCommands(storage, 1, 400, 1000);
    for (const at of [200, 300, 400]) await storage.trim(logIndex(at), logIndex(70));
    expect(storage.logFirstIndex).toBeGreaterThan(1);
    expect(storage.logFirstIndex).toBeLessThanOrEqual(71);
    await persistCommands(storage, 401, 410, 1_000_000);
    expect(storage.logBytes).toBeGreaterThan(PINNED_BYTES);
    await storage.trim(logIndex(410), logIndex(70));
    expect(storage.logFirstIndex).toBeGreaterThan(71);
    await close(opened);
  });

  test("starts after a power cut at any step of an install, from the old state or the new one", async () => {
    const outcomes = new Set<number>();
    for (let cutAt = 1; cutAt < 60; cutAt += 1) {
      const disk = newDisk(cutAt);
      const opened = await open(disk);
      const { storage } = opened;
      await storage.recordVote(HARD_STATE);
      await persist(storage, entries(1, 3));
      const snapshot = await receive(storage);
      storage.stage(snapshot);
      const crashed = await crashDuring(disk, cutAt, async () => {
        await persist(storage, [], snapshot.meta);
        storage.install(Promise.resolve());
        await storage.close();
      });
      const again = await open(crashed);
      const { index } = again.initial.snapshot;
      outcomes.add(index);
      if (index === 0) expect(again.initial.entries).toEqual(entries(1, 3));
      else expect(again.initial.entries).toEqual([]);
      await close(again);
    }
    expect([...outcomes].sort()).toEqual([0, SNAPSHOT_INDEX]);
  }, 60_000);
});

/** The medium forgets the last record of the log as if it had never been written. */
async function loseLastRecord({ files }: NodeDisk): Promise<void> {
  const directory = `${DIRECTORY}/log`;
  let last: LogScanItem | null = null;
  for await (const item of scanLog(files, directory)) last = item;
  if (last?.status !== "ok") throw new Error("no record");
  files.overwrite(`${directory}/${last.segment}`, last.position, new Uint8Array(last.bytes));
}
