import { TREE_LIMITS, type DataTree } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import { logIndex, term, type Entry, type SnapshotMeta } from "@quorate/raft";
import { expect, test } from "vitest";
import { loneMembership } from "../../../tests/support/members.ts";
import { isDamage } from "./errors.ts";
import { Checkpointer } from "./image/checkpointer.ts";
import { ManualClock } from "./memory/manual-clock.ts";
import { ManualWallClock } from "./memory/manual-wall-clock.ts";
import { MemoryFiles } from "./memory/memory-files.ts";
import { MemoryImageStores } from "./memory/memory-image-stores.ts";
import { SeededRandom } from "./memory/seeded-random.ts";
import { systemError } from "./memory/system-error.ts";
import { NodeStorage, openIdentity, type OpenedStorage } from "./node-storage.ts";
import type { ServerPorts, Transport } from "./ports.ts";
import { encodeEntries } from "./storage/entry-codec.ts";
import { fileError } from "./storage/file-error.ts";
import type { IdentityFile } from "./storage/identity.ts";

const DIRECTORY = "/data/one";
const IDS = { clusterId: "c", historyId: "h" };
const ENTRIES = 3;

class Clock extends ManualClock {
  override endOfTurn(callback: () => void): void {
    queueMicrotask(callback);
  }
}

interface Opened extends OpenedStorage {
  readonly identity: IdentityFile;
}

function metaAt(index: number): SnapshotMeta {
  const membership = loneMembership(5);
  return { index: logIndex(index), term: term(index === 0 ? 0 : 2), membership };
}

async function open(files: MemoryFiles, images: MemoryImageStores): Promise<Opened> {
  const ports: ServerPorts = {
    files,
    images,
    clock: new Clock(),
    wallClock: new ManualWallClock(0),
    random: new SeededRandom(7),
    transport: null as unknown as Transport,
  };
  await ports.files.makeDirectory(DIRECTORY);
  const identity = await openIdentity(ports, DIRECTORY, "one");
  try {
    await identity.update(IDS);
    const options = { formation: metaAt(0), limits: TREE_LIMITS, segmentBytes: 65_536 };
    return { ...(await NodeStorage.open(ports, DIRECTORY, identity, options)), identity };
  } catch (error) {
    await identity.close();
    throw error;
  }
}

/** A log with some entries, and an image that stands at the last of them. */
async function write({ storage, tree }: { storage: NodeStorage; tree: DataTree }): Promise<void> {
  const entries = Array.from({ length: ENTRIES }, (_, at): Entry => {
    return { kind: "noop", term: term(2), index: logIndex(at + 1) };
  });
  const hardState = { term: term(2), votedFor: null };
  await storage.persist(
    { ticket: { seq: 1 }, hardState, entries, snapshot: null },
    encodeEntries(entries),
  );
  tree.skipTo(zxid(ENTRIES));
  const checkpointer = new Checkpointer({ clock: new Clock(), ...IDS });
  await checkpointer.run(tree, storage.image, metaAt(ENTRIES));
}

/** From now on every read of such a file fails as the system says. */
function fail(files: MemoryFiles, folder: string, code: string): void {
  files.setOnStep(({ operation, path, phase }) =>
    operation === "read" && phase === "before" && path.startsWith(`${DIRECTORY}/${folder}`)
      ? Promise.reject(fileError(operation, path, systemError(code)))
      : null,
  );
}

const scrub = ({ storage }: Opened): Promise<void> => storage.scrub(() => Promise.resolve());

test.each([
  ["log", "EIO", "LOG_CORRUPT"],
  ["image-1", "EIO", "IMAGE_CORRUPT"],
  ["log", "EMFILE", "STORAGE_FAILED"],
  ["image-1", "EMFILE", "STORAGE_FAILED"],
])(
  "of a node whose %s cannot be read for an %s a look says %s, and so does a start",
  async (folder, reason, code) => {
    const files = new MemoryFiles();
    const images = new MemoryImageStores(files);
    const opened = await open(files, images);
    await write(opened);
    await scrub(opened);

    fail(files, folder, reason);
    const found = await scrub(opened).catch((error: unknown) => error);
    expect(found).toMatchObject({ name: "ServerError", code });
    expect(isDamage(found)).toBe(reason === "EIO");
    files.setOnStep(null);
    await opened.storage.close();
    await opened.identity.close();

    fail(files, folder, reason);
    await expect(open(files, images)).rejects.toMatchObject({ code });
  },
);
