import { expect, test } from "vitest";
import { startEnsemble, type EnsembleOptions } from "./ensemble.ts";

test.each([
  ...[null, 3, "folder", { nodes: 0 }, { nodes: 8 }, { nodes: "3" }, { directory: 7 }],
  ...[{ directory: "" }, { logger: 7 }, { logger: null }, { startTimeoutMs: "x" }],
  ...[{ startTimeoutMs: Number.NaN }, { startTimeoutMs: 0 }],
])("%j are no options: CONFIG_INVALID, and nothing is started", async (options) => {
  // As callers without types do.
  const starting = startEnsemble(options as unknown as EnsembleOptions);
  await expect(starting).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});
