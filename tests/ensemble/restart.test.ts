import { connect } from "@quorate/client";
import { startEnsemble } from "@quorate/server";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

describe("an ensemble on disk", () => {
  let directory = "";

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "quorate-restart-"));
  });

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it("has everything after a clean stop and start", async () => {
    const before = await startEnsemble({ directory });
    const writer = await connect({ servers: before.servers });
    await writer.create("/kept", "v");
    for (let at = 0; at < 50; at += 1) await writer.create(`/kept/${at}`, `${at}`);
    await writer.close();
    await before.stop();
    await using after = await startEnsemble({ directory });
    await using reader = await connect({ servers: after.servers });
    expect((await reader.children("/kept")).names).toHaveLength(50);
    expect(new TextDecoder().decode((await reader.get("/kept/7")).data)).toBe("7");
    expect(await reader.create("/kept/again")).toBe("/kept/again");
  });
});
