import { describe, expect, test } from "vitest";
import { createServerConfig, type ServerConfig } from "../config.ts";
import { ServerError, type ServerErrorCode } from "../errors.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { ManualWallClock } from "../memory/manual-wall-clock.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { MemoryImageStores } from "../memory/memory-image-stores.ts";
import { SeededRandom } from "../memory/seeded-random.ts";
import { createMemoryLogger } from "../observe/logger.ts";
import { QuorateServer } from "../quorate-server.ts";
import { MemoryNetwork } from "../transport/memory-transport.ts";
import { withDamageAdvice } from "./damage-advice.ts";

function configOf(names: readonly string[], repair: boolean): ServerConfig {
  const members = names.map((name) => ({ name, peer: `${name}:1`, client: `${name}:2` }));
  return createServerConfig({ name: "a", members, dataDirectory: "/d", insecure: true, repair });
}

describe("what ends a node", () => {
  const damage = new ServerError("LOG_CORRUPT", "the log in /d/log is gone");

  test("says how the node comes back where there are peers", () => {
    expect(withDamageAdvice(damage, configOf(["a", "b"], false))).toMatchObject({
      code: "LOG_CORRUPT",
      message: expect.stringMatching(/^LOG_CORRUPT: the log in \/d\/log is gone\. .*--rejoin/),
    });
  });

  test("says how to begin anew where there are none", () => {
    const codes: readonly ServerErrorCode[] = ["LOG_CORRUPT", "IDENTITY_LOST", "IDENTITY_DAMAGED"];
    for (const code of codes) {
      const error = withDamageAdvice(new ServerError(code, "why"), configOf(["a"], true));
      expect(error).toMatchObject({
        code,
        message: expect.stringMatching(/why\. .*quorate recover \/d .*--incomplete/),
      });
      expect(String(error)).not.toContain("--rejoin");
    }
  });

  test("says nothing more where the node helps itself, or nothing is damaged", () => {
    expect(withDamageAdvice(damage, configOf(["a", "b"], true))).toBe(damage);
    const full = new ServerError("STORAGE_FULL", "no room");
    expect(withDamageAdvice(full, configOf(["a"], true))).toBe(full);
  });
});

/** With a log and an identity of which nothing can be read. */
async function startDamaged(config: ServerConfig, logger = createMemoryLogger()) {
  const files = new MemoryFiles({ seed: 1 });
  await files.makeDirectory("/d/log");
  const identity = await files.open("/d/identity", { create: true, durable: true });
  await identity.write(0, new Uint8Array([1]));
  await identity.close();
  const clock = new ManualClock();
  const network = new MemoryNetwork({ clock, schedule: () => undefined });
  const images = new MemoryImageStores(files);
  const [wallClock, random] = [new ManualWallClock(0), new SeededRandom(1)];
  const transport = network.transport("a");
  const ports = { files, clock, images, wallClock, random, transport };
  return QuorateServer.start({ config, ports, logger, ownsProcess: false });
}

test("a node whose data are damaged does not start, and says what to do", async () => {
  await expect(startDamaged(configOf(["a"], true))).rejects.toThrow(/quorate recover \/d/);
  await expect(startDamaged(configOf(["a", "b"], false))).rejects.toThrow(/--rejoin/);
});

test("a node that sets its damaged data aside does not say that nothing was changed", async () => {
  const logger = createMemoryLogger();
  await using server = await startDamaged(configOf(["a", "b"], true), logger);
  expect(server.status().clusterId).toBe("");
  const told = JSON.stringify(logger, (_key, value: unknown) =>
    value instanceof Error ? value.message : value,
  );
  expect(told).toContain("set aside");
  expect(told).not.toMatch(/Nothing was changed|--rejoin/);
});
