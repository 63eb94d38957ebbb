import { readdirSync } from "node:fs";
import { startEnsemble } from "../../packages/server/src/index.ts";

/** Leaves in a folder what a node leaves that ran by itself and was stopped. Returns the name of its data directory there. */
export async function leaveStoppedNode(folder: string): Promise<string> {
  await using _ensemble = await startEnsemble({ nodes: 1, directory: folder });
  const [node = ""] = readdirSync(folder);
  return node;
}
