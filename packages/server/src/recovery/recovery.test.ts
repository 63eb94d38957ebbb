import {
  DataTree,
  TREE_LIMITS,
  encodeCommand,
  stampCommand,
  type Command,
} from "@quorate/kv-store";
import { sessionId, writeSeq, zxid } from "@quorate/kv-store/protocol";
import { logIndex, nodeId, term, type Entry, type SnapshotMeta } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { withUnreadable } from "../../../../tests/support/faulty-files.ts";
import { member } from "../../../../tests/support/members.ts";
import { writeBackup } from "../backup/backup-writer.ts";
import type { ConfiguredMember } from "../config.ts";
import { ServerError } from "../errors.ts";
import { Checkpointer } from "../image/checkpointer.ts";
import { decodeImageMeta, encodeImageMeta } from "../image/image-meta.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { ManualWallClock } from "../memory/manual-wall-clock.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { MemoryImageStores } from "../memory/memory-image-stores.ts";
import { SeededRandom } from "../memory/seeded-random.ts";
import { NodeStorage, openIdentity } from "../node-storage.ts";
import type { ServerPorts, Transport } from "../ports.ts";
import { replicatedLimits } from "../replicated-limits.ts";
import { encodeEntries } from "../storage/entry-codec.ts";
import { loadIdentity } from "../storage/identity.ts";
import { inspectNode, recoverNode } from "./recover-node.ts";
import { restoreBackup } from "./restore-backup.ts";

const OLD = "/old";
const NEW = "/new";
const MEMBER: ConfiguredMember = { name: "solo", peerAddress: "solo:1", clientAddress: "solo:2" };

class Clock extends ManualClock {
  override endOfTurn(callback: () => void): void {
    queueMicrotask(callback);
  }
}

function newPorts(): ServerPorts & {
  readonly files: MemoryFiles;
  readonly images: MemoryImageStores;
} {
  const files = new MemoryFiles({ seed: 1 });
  return {
    files,
    images: new MemoryImageStores(files),
    clock: new Clock(),
    wallClock: new ManualWallClock(0),
    random: new SeededRandom(7),
    transport: null as unknown as Transport,
  };
}

const FORMATION: SnapshotMeta = {
  index: logIndex(0),
  term: term(0),
  membership: {
    voters: [5, 6, 7].map(nodeId),
    outgoingVoters: [],
    learners: [],
    members: [member("a", 5), member("b", 6), member("c", 7)],
  },
};

/** Entry `index`: a session first, then one znode each. */
function entryAt(index: number): Entry {
  const attach = { node: 5, address: "x", principal: "", clientName: "" };
  const verifier = new Uint8Array(16).fill(7);
  const command: Command =
    index === 1
      ? { kind: "openSession", verifier, timeoutMs: 5_000, attach }
      : {
          kind: "write",
          session: sessionId(1),
          epoch: 0,
          writeSeq: writeSeq(index - 1),
          ackedSeq: 0,
          ops: [
            { kind: "create", path: `/z${index}`, data: new Uint8Array(200), mode: "persistent" },
          ],
        };
  const data = encodeCommand(command);
  stampCommand(data, { timeMs: 1_000, clockMs: 1_000 });
  return { kind: "command", index: logIndex(index), term: term(3), data };
}

/** Last entries of the records of its log. */
const RECORDS = [8, 12, 16, 20];

/** The directory of a member of three, with an image at 10 and a log up to 20. */
async function makeNode(ports: ServerPorts, segmentBytes = 65_536): Promise<string> {
  await ports.files.makeDirectory(OLD);
  const identity = await openIdentity(ports, OLD, "a");
  await identity.update({
    nodeId: nodeId(5),
    clusterId: "c",
    historyId: "c-1",
    formation: encodeImageMeta({ clusterId: "c", historyId: "c-1", snapshot: FORMATION }),
    limits: replicatedLimits(TREE_LIMITS),
  });
  const options = { formation: FORMATION, limits: TREE_LIMITS, segmentBytes };
  const { storage } = await NodeStorage.open(ports, OLD, identity, options);
  let entries: Entry[] = [];
  for (let at = 1; at <= 20; at += 1) {
    entries.push(entryAt(at));
    if (!RECORDS.includes(at)) continue;
    const hardState = { term: term(3), votedFor: null };
    const work = { ticket: { seq: at }, hardState, entries, snapshot: null };
    await storage.persist(work, encodeEntries(entries));
    entries = [];
  }
  const tree = treeAt(10);
  const checkpointer = new Checkpointer({ clock: ports.clock, clusterId: "c", historyId: "c-1" });
  await checkpointer.run(tree, storage.image, { ...FORMATION, index: logIndex(10), term: term(3) });
  await storage.close();
  await identity.close();
  return treeAt(20).digest();
}

function treeAt(index: number): DataTree {
  const tree = new DataTree(TREE_LIMITS);
  for (let at = 1; at <= index; at += 1) {
    const attach = { node: 5, address: "x", principal: "", clientName: "" };
    const verifier = new Uint8Array(16).fill(7);
    const stamp = { timeMs: 1_000, clockMs: 1_000 };
    tree.apply(
      zxid(at),
      3,
      stamp,
      at === 1
        ? { kind: "openSession", verifier, timeoutMs: 5_000, attach }
        : {
            kind: "write",
            session: sessionId(1),
            epoch: 0,
            writeSeq: writeSeq(at - 1),
            ackedSeq: 0,
            ops: [
              { kind: "create", path: `/z${at}`, data: new Uint8Array(200), mode: "persistent" },
            ],
          },
    );
  }
  return tree;
}

/** Changes a bit of the record that holds an entry. */
async function damageLogAt(
  { files }: { readonly files: MemoryFiles },
  index: number,
): Promise<void> {
  const { path, position } = await placeInLog({ files }, index);
  files.flipBit(path, position);
}

/** Where an entry stands. */
async function placeInLog(
  { files }: { readonly files: MemoryFiles },
  index: number,
): Promise<{ readonly path: string; readonly position: number }> {
  const [name = ""] = files.namesIn(`${OLD}/log`);
  const path = `${OLD}/log/${name}`;
  return { path, position: Buffer.from((await files.readWhole(path)) ?? []).indexOf(`/z${index}`) };
}

async function loseIdentity({ files }: { readonly files: MemoryFiles }): Promise<void> {
  await files.remove(`${OLD}/identity`);
}

/** Neither copy can be read. */
async function damageIdentity({ files }: { readonly files: MemoryFiles }): Promise<void> {
  const file = await files.open(`${OLD}/identity`, { create: false, durable: true });
  await file.write(0, new Uint8Array(2 * 16_384));
  await file.close();
}

/** Of the old node, but for its images, which are the library's. */
async function contentOf(files: MemoryFiles): Promise<readonly unknown[]> {
  const log = files.namesIn(`${OLD}/log`).map((name) => `log/${name}`);
  const paths = ["identity", ...log].map((name) => `${OLD}/${name}`);
  return Promise.all(paths.map(async (path) => [path, await files.readWhole(path)] as const));
}

/** What a server finds when it starts there. */
async function openNew(ports: ServerPorts) {
  const identity = (await loadIdentity(ports.files, NEW))!;
  const { current } = identity;
  const formation = decodeImageMeta(current.formation!);
  const opened = await NodeStorage.open(ports, NEW, identity, {
    formation: formation.snapshot,
    limits: TREE_LIMITS,
    segmentBytes: 65_536,
  });
  const { tree, initial } = opened;
  await opened.storage.close();
  await identity.close();
  return { current, formation, tree, initial };
}

async function backupOf(ports: ServerPorts): Promise<Buffer> {
  await makeNode(ports);
  const image = await ports.images.open(`${OLD}/image-1`, { create: false });
  const pieces: Uint8Array[] = [];
  for await (const piece of writeBackup(image.view(), 65_536)) pieces.push(piece.slice());
  await image.close();
  return Buffer.concat(pieces);
}

async function* portions(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000);
}

/** So much later begins what is founded by a clock that says nothing. */
const BEYOND = 1e12;

describe("recovery", () => {
  test("shows all that a node has, its log included, and who voted", async () => {
    const ports = newPorts();
    const digest = await makeNode(ports);
    expect(await inspectNode(ports, OLD)).toEqual({
      name: "a",
      clusterId: "c",
      historyId: "c-1",
      term: 3,
      zxid: 20,
      znodes: 20,
      sessions: 1,
      digest,
      voters: ["a", "b", "c"],
      imageDamage: null,
      losses: [],
    });
  });

  test("takes the log up to where it is damaged, if that is wanted", async () => {
    const ports = newPorts();
    await makeNode(ports);
    await damageLogAt(ports, 14);
    const { losses, ...remains } = await inspectNode(ports, OLD);
    expect(losses).toEqual([expect.stringContaining("the log is damaged behind 12: ")]);
    const digest = treeAt(12).digest();
    expect(remains).toMatchObject({ zxid: 12, znodes: 12, digest });
    const target = { directory: NEW, member: MEMBER };
    await expect(recoverNode(ports, OLD, target)).rejects.toMatchObject({ code: "LOG_CORRUPT" });
    await expect(ports.files.list(NEW)).resolves.toEqual([]);
    const founded = await recoverNode(ports, OLD, { ...target, incomplete: true });
    expect(founded).toMatchObject({ zxid: BEYOND + 12, digest });
    expect((await openNew(ports)).tree.digest()).toBe(digest);
  });

  test("takes the image where the log is damaged before it, or gone", async () => {
    const [damaged, without] = [newPorts(), newPorts()];
    await makeNode(damaged);
    await damageLogAt(damaged, 2);
    await makeNode(without);
    await without.files.remove(`${OLD}/log`);
    for (const ports of [damaged, without]) {
      const remains = await inspectNode(ports, OLD);
      expect(remains).toMatchObject({ zxid: 10, digest: treeAt(10).digest() });
      expect(remains.losses.length).toBeGreaterThan(0);
    }
  });

  test("takes the log up to the first segment that the medium does not give back", async () => {
    const ports = newPorts();
    await makeNode(ports, 4_096);
    const segments = ports.files.namesIn(`${OLD}/log`).filter((name) => name.endsWith(".wal"));
    expect(segments.length).toBeGreaterThan(1);
    const broken = withUnreadable(ports, `${OLD}/log/${segments.at(-1)}`);
    const { losses, zxid: last, digest } = await inspectNode(broken, OLD);
    expect(losses).toEqual([expect.stringContaining("the log is damaged behind ")]);
    expect(RECORDS.slice(0, -1)).toContain(last);
    expect(last).toBeGreaterThan(10);
    expect(digest).toBe(treeAt(last).digest());
  });

  test.each([
    ["in a record", 16],
    ["behind its records", 20],
  ] as const)("takes the whole records of a segment that is cut short %s", async (_, last) => {
    const ports = newPorts();
    await makeNode(ports);
    const { path, position } = await placeInLog(ports, 18);
    ports.files.resize(path, last === 16 ? position : 32_768);
    const { losses, ...remains } = await inspectNode(ports, OLD);
    expect(losses).toEqual([
      expect.stringContaining(`the log is damaged behind ${last}: a segment that is cut short`),
    ]);
    expect(remains).toMatchObject({ zxid: last, digest: treeAt(last).digest() });
  });

  test("takes everything before a sector that the medium does not give back", async () => {
    const ports = newPorts();
    await makeNode(ports);
    const { path, position } = await placeInLog(ports, 18);
    ports.files.breakSector(path, position);
    const { losses, ...remains } = await inspectNode(ports, OLD);
    expect(losses).toEqual([
      expect.stringMatching(/^the log is damaged behind 16: read .*: EIO \(log-\w+\.wal at \d+\)$/),
    ]);
    expect(remains).toMatchObject({ zxid: 16, digest: treeAt(16).digest() });
  });

  test("loses nothing by one copy of the identity that the medium does not give back", async () => {
    for (const position of [0, 16_384]) {
      const ports = newPorts();
      const digest = await makeNode(ports);
      ports.files.breakSector(`${OLD}/identity`, position);
      expect(await inspectNode(ports, OLD)).toMatchObject({
        name: "a",
        zxid: 20,
        digest,
        losses: [],
      });
    }
  });

  test("takes image and log where the medium does not give the identity back", async () => {
    const ports = newPorts();
    const digest = await makeNode(ports);
    const broken = withUnreadable(ports, `${OLD}/identity`);
    const { losses, ...remains } = await inspectNode(broken, OLD);
    expect(losses).toEqual([expect.stringContaining("EIO")]);
    expect(remains).toMatchObject({ zxid: 20, digest });
  });

  test("takes the log alone where the image is damaged, and both up to where they are", async () => {
    const ports = newPorts();
    const digest = await makeNode(ports);
    const image = await ports.images.open(`${OLD}/image-1`, { create: false });
    expect(ports.images.damage(0.5)).toBe(true);
    await image.close();
    expect(await inspectNode(ports, OLD)).toMatchObject({
      zxid: 20,
      digest,
      imageDamage: expect.any(String),
      losses: [],
    });
    await recoverNode(ports, OLD, { directory: NEW, member: MEMBER });
    expect((await openNew(ports)).tree.digest()).toBe(digest);
    await damageLogAt(ports, 14);
    expect(await inspectNode(ports, OLD)).toMatchObject({ zxid: 12 });
    await damageLogAt(ports, 2);
    await expect(inspectNode(ports, OLD)).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
  });

  test("takes image and log where the identity is damaged or lost, and says so", async () => {
    for (const lose of [damageIdentity, loseIdentity]) {
      const ports = newPorts();
      const digest = await makeNode(ports);
      await lose(ports);
      await ports.files.makeDirectory(`${OLD}/image-9`);
      const { losses, ...remains } = await inspectNode(ports, OLD);
      expect(remains).toMatchObject({ name: "a", clusterId: "c", historyId: "c-1", zxid: 20 });
      expect(remains).toMatchObject({ digest, voters: ["a", "b", "c"] });
      expect(losses).toEqual([expect.stringContaining("taken from image and log")]);
      const target = { directory: NEW, member: MEMBER };
      await expect(recoverNode(ports, OLD, target)).rejects.toMatchObject({ code: "LOG_CORRUPT" });
      await recoverNode(ports, OLD, { ...target, incomplete: true });
      expect((await openNew(ports)).tree.digest()).toBe(digest);
    }
  });

  test("takes the image alone where nothing else is left", async () => {
    const ports = newPorts();
    await makeNode(ports);
    await loseIdentity(ports);
    await ports.files.remove(`${OLD}/log`);
    const { losses, ...remains } = await inspectNode(ports, OLD);
    expect(remains).toMatchObject({ name: "unknown", zxid: 10, digest: treeAt(10).digest() });
    expect(losses).toHaveLength(2);
  });

  test("has nothing where identity and image are damaged", async () => {
    const ports = newPorts();
    await makeNode(ports);
    await damageIdentity(ports);
    await ports.files.remove(`${OLD}/image-1`);
    await expect(inspectNode(ports, OLD)).rejects.toMatchObject({
      code: "IDENTITY_DAMAGED",
      message: expect.stringContaining("no whole image"),
    });
  });

  test("changes nothing of what it looks at", async () => {
    const ports = newPorts();
    await makeNode(ports);
    await ports.files.makeDirectory(`${OLD}/image-7`);
    const before = await contentOf(ports.files);
    ports.files.failNext("write", new ServerError("STORAGE_FAILED", "EROFS"));
    ports.files.failNext("syncDirectory", new ServerError("STORAGE_FAILED", "EROFS"));
    await inspectNode(ports, OLD);
    expect(await contentOf(ports.files)).toEqual(before);
    expect(await ports.files.list(OLD)).toContain("image-7");
  });

  test("takes an older copy, and says that it is one", async () => {
    const ports = newPorts();
    const digest = await makeNode(ports);
    const identity = (await loadIdentity(ports.files, OLD))!;
    await identity.update({ hasLostEntries: true });
    await identity.close();
    const { losses, ...remains } = await inspectNode(ports, OLD);
    expect(remains).toMatchObject({ zxid: 20, digest });
    expect(losses).toEqual([expect.stringContaining("older copy")]);
  });

  test("begins a new history with it, whose only member nobody has met", async () => {
    const ports = newPorts();
    const digest = await makeNode(ports);
    const founded = await recoverNode(ports, OLD, { directory: NEW, member: MEMBER });
    expect(founded).toMatchObject({ name: "solo", clusterId: "c", zxid: BEYOND + 20, digest });
    const { current, formation, tree, initial } = await openNew(ports);
    expect(tree.digest()).toBe(digest);
    expect(initial).toMatchObject({
      snapshot: {
        index: BEYOND + 20,
        term: 3,
        membership: { voters: [founded.nodeId], learners: [] },
      },
      hardState: { term: 3, votedFor: null },
      entries: [],
    });
    expect(founded.nodeId).not.toBe(5);
    expect(current).toMatchObject({ historyId: founded.historyId, name: "solo" });
    expect(founded.historyId).not.toBe("c-1");
    // Who joins later has nothing yet.
    expect(formation.snapshot.index).toBe(0);
    const again = await recoverNode(ports, OLD, { directory: "/other", member: null });
    expect(again.name).toBe("a");
    expect(again.historyId).not.toBe(founded.historyId);
  });

  test("needs a node that belonged to an ensemble", async () => {
    const ports = newPorts();
    await expect(inspectNode(ports, OLD)).rejects.toMatchObject({ code: "NOTHING_STORED" });
    await ports.files.makeDirectory(OLD);
    await (await openIdentity(ports, OLD, "a")).close();
    await expect(inspectNode(ports, OLD)).rejects.toMatchObject({ code: "NOTHING_STORED" });
  });

  test("writes over nothing", async () => {
    const ports = newPorts();
    await makeNode(ports);
    const target = { directory: OLD, member: null };
    await expect(recoverNode(ports, OLD, target)).rejects.toMatchObject({
      code: "DIRECTORY_IN_USE",
    });
    expect((await inspectNode(ports, OLD)).zxid).toBe(20);
  });
});

describe("a restored backup", () => {
  test("is an ensemble of one node with a history of its own", async () => {
    const ports = newPorts();
    const backup = await backupOf(ports);
    const target = { directory: NEW, member: MEMBER };
    const founded = await restoreBackup(ports, portions(backup), target);
    expect(founded).toMatchObject({ zxid: BEYOND + 10, znodes: 10, sessions: 1 });
    expect(founded.limits).toEqual(replicatedLimits(TREE_LIMITS));
    const { tree, initial, current } = await openNew(ports);
    expect(tree.digest()).toBe(treeAt(10).digest());
    expect(initial.snapshot).toMatchObject({ index: BEYOND + 10, term: 3 });
    expect(current.historyId).toBe(founded.historyId);
  });

  test("that is damaged leaves nothing behind", async () => {
    const ports = newPorts();
    const backup = await backupOf(ports);
    const target = { directory: NEW, member: MEMBER };
    for (const at of [20, backup.length >> 1, backup.length - 1]) {
      const damaged = Buffer.from(backup);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await expect(restoreBackup(ports, portions(damaged), target)).rejects.toMatchObject({
        code: expect.stringMatching(/BACKUP_DAMAGED|FORMAT_UNKNOWN/),
      });
      expect(await ports.files.list(NEW)).toEqual([]);
    }
    await restoreBackup(ports, portions(backup), target);
  });

  test("that could not be written whole is no node", async () => {
    const ports = newPorts();
    const backup = await backupOf(ports);
    const target = { directory: NEW, member: MEMBER };
    ports.files.failNext("syncDirectory", new ServerError("STORAGE_FAILED", "EIO"));
    await expect(restoreBackup(ports, portions(backup), target)).rejects.toThrow();
    expect(await loadIdentity(ports.files, NEW)).toBeNull();
  });
});
