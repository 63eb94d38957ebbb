import { connect, type QuorateClient } from "@quorate/client";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { quorate } from "./command.ts";
import { startEnsemble, TestEnsemble } from "./ensemble.ts";
import { poll } from "./poll.ts";

const USAGE = 2;
const DAMAGED = 6;
const ZNODES = 200;

async function fill(client: QuorateClient): Promise<void> {
  await client.create("/data");
  for (let at = 0; at < ZNODES; at += 1) await client.create(`/data/${at}`, `value ${at}`);
}

/** An ensemble whose first node's data are yet to come from elsewhere. */
async function plannedEnsemble(nodes: number): Promise<{
  readonly ensemble: TestEnsemble;
  readonly directory: string;
  readonly member: string;
}> {
  const ensemble = await TestEnsemble.create({ nodes, founders: 1 });
  onTestFinished(async ({ task }) => {
    if (task.result?.state === "fail") console.error(ensemble.report());
    await ensemble.dispose();
  });
  const { dataDirectory, peerAddress, clientAddress } = ensemble.plan("1");
  return { ensemble, directory: dataDirectory, member: `1=${peerAddress},${clientAddress}` };
}

/** Of three nodes that held the same one is left, which does not run. */
async function oneSurvivor(): Promise<{
  readonly source: TestEnsemble;
  readonly survivor: string;
  readonly dataDirectory: string;
}> {
  const source = await startEnsemble();
  const client = await connect({ servers: source.servers });
  await fill(client);
  await client.close();
  await source.waitForEqualDigests();
  await source.killAllAtOnce();
  const [survivor = "", ...lost] = source.names;
  for (const name of lost) source.wipe(name);
  return { source, survivor, dataDirectory: source.plan(survivor).dataDirectory };
}

/** Starts node 1 with what it was given, checks it, and lets the others join. */
async function startAndGrow(ensemble: TestEnsemble): Promise<void> {
  ensemble.start("1");
  await ensemble.waitUntilReady(["1"]);
  await using client = await connect({ servers: [ensemble.directServer("1")] });
  expect((await client.children("/data")).names).toHaveLength(ZNODES);
  const { data } = await client.get(`/data/${ZNODES - 1}`);
  expect(new TextDecoder().decode(data)).toBe(`value ${ZNODES - 1}`);
  for (const name of ensemble.names.slice(1)) {
    ensemble.start(name, ["--join"]);
    const added = await quorate("member", "add", name, "-s", ensemble.directServer("1"));
    expect([added.exit, added.output]).toEqual([0, added.output]);
  }
  await client.create("/after", "x");
  await ensemble.waitForEqualDigests();
}

test("a backup begins a new ensemble, which others join", async () => {
  const folder = mkdtempSync(join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "backup");
  const source = await startEnsemble({ nodes: 1 });
  const client = await connect({ servers: source.servers });
  await fill(client);
  const saved = await quorate("snapshot", "save", file, "-s", source.directServer("1"), "--json");
  await client.close();

  const { ensemble, directory, member } = await plannedEnsemble(3);
  const restore = (...flags: readonly string[]) =>
    quorate("snapshot", "restore", file, "--to", directory, "--member", member, ...flags);
  const beginsFrom = Date.now() * 1_000;
  const restored = await restore("--json");
  expect([restored.exit, restored.output]).toEqual([0, restored.output]);
  const [before, after] = [JSON.parse(saved.output), JSON.parse(restored.output)];
  expect(after.zxid).toBeGreaterThanOrEqual(beginsFrom);
  expect(after.znodes).toBe(before.znodes);
  expect(after.historyId).not.toBe(before.historyId);
  await startAndGrow(ensemble);
  expect(await restore()).toMatchObject({
    exit: USAGE,
    output: expect.stringContaining("not empty"),
  });
});

test("one survivor begins a new history when the majority is lost for good", async () => {
  const { dataDirectory: old } = await oneSurvivor();

  const shown = await quorate("recover", old);
  expect(shown).toMatchObject({ exit: 0, output: expect.stringContaining("1, 2, 3") });
  const { ensemble, directory, member } = await plannedEnsemble(3);
  const recover = (...flags: readonly string[]) =>
    quorate("recover", old, "--to", directory, "--member", member, ...flags);
  const unconfirmed = await recover();
  expect(unconfirmed).toMatchObject({ exit: USAGE });
  expect(unconfirmed.output).toContain("is lost for good");
  expect(existsSync(directory)).toBe(false);
  const recovered = await recover("--yes");
  expect([recovered.exit, recovered.output]).toEqual([0, recovered.output]);
  expect(recovered.output).toContain("quorate member add");
  await startAndGrow(ensemble);
});

test("a damaged survivor that set its data aside gives what is left of them", async () => {
  const { source, survivor, dataDirectory } = await oneSurvivor();
  const left = 150;
  damageLogAt(dataDirectory, `value ${left}`);
  source.start(survivor);
  const aside = join(dataDirectory, "damaged-1");
  // The identity goes last.
  await poll("the damaged data to be set aside", 20_000, () =>
    existsSync(join(aside, "identity")) ? true : null,
  );
  await source.kill(survivor);

  const shown = await quorate("recover", aside);
  expect(shown).toMatchObject({ exit: DAMAGED, output: expect.stringContaining("incomplete: ") });
  const { ensemble, directory, member } = await plannedEnsemble(1);
  const recover = (...flags: readonly string[]) =>
    quorate("recover", aside, "--to", directory, "--member", member, "--yes", ...flags);
  expect(await recover()).toMatchObject({ exit: DAMAGED });
  expect(existsSync(directory)).toBe(false);
  const recovered = await recover("--incomplete");
  expect([recovered.exit, recovered.output]).toEqual([0, recovered.output]);
  ensemble.start("1");
  await ensemble.waitUntilReady(["1"]);
  await using again = await connect({ servers: ensemble.servers });
  expect((await again.children("/data")).names).toHaveLength(left);
});

/** Changes a byte of what was written last of all that holds this text. */
function damageLogAt(dataDirectory: string, text: string): void {
  const directory = join(dataDirectory, "log");
  for (const name of readdirSync(directory)) {
    const bytes = readFileSync(join(directory, name));
    const at = bytes.lastIndexOf(text);
    if (at === -1) continue;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(join(directory, name), bytes);
    return;
  }
  throw new Error(`no record of ${directory} holds "${text}"`);
}
