import { TREE_LIMITS } from "@quorate/kv-store";
import { logIndex } from "@quorate/raft";
import { expect, test } from "vitest";
import {
  checkpoint,
  closeNode,
  DIRECTORY,
  IDS,
  metaAt,
  newDisk,
  openNode,
  persistCommands,
  portsOf,
} from "../../../../tests/support/node-disk.ts";
import { encodeImageMeta } from "../image/image-meta.ts";
import { replicatedLimits } from "../replicated-limits.ts";
import { salvage } from "./salvage.ts";

test("of a log that begins behind the image is the image alone, and says so", async () => {
  const disk = newDisk();
  const opened = await openNode(disk);
  const { storage, tree, identity } = opened;
  await persistCommands(storage, 1, 400, 1_000);
  await checkpoint(tree, storage.image, 50);
  // As after checkpoints that the image has lost since.
  for (const at of [200, 300, 400]) await storage.trim(logIndex(at), null);
  expect(storage.logFirstIndex).toBeGreaterThan(51);
  await closeNode(opened);

  const salvaged = await salvage(portsOf(disk), DIRECTORY, {
    ...identity.current,
    formation: encodeImageMeta({ ...IDS, snapshot: metaAt(0) }),
    limits: replicatedLimits(TREE_LIMITS),
  });
  expect(salvaged).toMatchObject({
    base: { index: 50 },
    entries: [],
    losses: [expect.stringContaining("the image stands at 50, and the log, from ")],
  });
  await salvaged.close();
});
