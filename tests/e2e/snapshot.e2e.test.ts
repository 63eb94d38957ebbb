import { connect } from "@quorate/client";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { quorate } from "./command.ts";
import { startEnsemble } from "./ensemble.ts";

const DAMAGED = 6;
const UNAVAILABLE = 5;
const WRITERS = 8;

test("quorate snapshot saves everything acknowledged before it, under load, and finds damage", async () => {
  const directory = temporaryDirectory();
  const ensemble = await startEnsemble();
  const client = await connect({ servers: ensemble.servers });
  onTestFinished(() => client.close());
  await client.create("/data");
  for (let at = 0; at < 300; at += 1) await client.create(`/data/${at}`, `value ${at}`);
  const before = await client.set("/data", "marker");
  let isSaving = true;
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let at = 0; isSaving; at += 1) await client.set(`/data/${writer}`, `load ${at}`);
  });
  const file = join(directory, "backup");
  const servers = ensemble.servers.join(",");
  const saved = await quorate("snapshot", "save", file, "-s", servers, "--json");
  isSaving = false;
  await Promise.all(writers);
  expect(saved).toMatchObject({ exit: 0 });
  const summary = JSON.parse(saved.output);
  expect(summary).toMatchObject({ znodes: 302, sessions: 1 });
  expect(summary.zxid).toBeGreaterThanOrEqual(before.mzxid);
  expect(readdirSync(directory)).toEqual(["backup"]);

  const verified = await quorate("snapshot", "verify", file, "--json");
  expect(verified.exit).toBe(0);
  expect(JSON.parse(verified.output)).toMatchObject({ zxid: summary.zxid, digest: summary.digest });

  const bytes = readFileSync(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  expect(await quorate("snapshot", "verify", file)).toMatchObject({
    exit: DAMAGED,
    output: expect.stringContaining("is no whole backup: the piece"),
  });
});

test("quorate snapshot save needs a quorum, unless told that one server's state will do", async () => {
  const directory = temporaryDirectory();
  const ensemble = await startEnsemble();
  const client = await connect({ servers: ensemble.servers });
  await client.create("/kept", "yes");
  await client.close();
  await ensemble.waitForEqualDigests();
  const [survivor = "", ...others] = ensemble.names;
  for (const name of others) await ensemble.kill(name);
  const file = join(directory, "backup");
  const args = ["snapshot", "save", file, "-s", ensemble.directServer(survivor), "--timeout", "15"];
  expect(await quorate(...args)).toMatchObject({
    exit: UNAVAILABLE,
    output: expect.stringContaining("--local"),
  });
  expect(readdirSync(directory)).toEqual([]);
  expect(await quorate(...args, "--local")).toMatchObject({
    exit: 0,
    output: expect.stringContaining("2 znodes"),
  });
});

test("quorate snapshot save goes on to the next server, and then takes the place of the file of before", async () => {
  const directory = temporaryDirectory();
  const ensemble = await startEnsemble({ nodes: 1 });
  const dying = createServer((_request, response) => {
    response.writeHead(200);
    response.write("QRTBACKP", () => void response.socket?.destroy());
  });
  await new Promise<void>((resolve) => void dying.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void dying.close());
  const address = dying.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const file = join(directory, "backup");
  writeFileSync(file, "of before");
  const servers = `127.0.0.1:${port},${ensemble.directServer("1")}`;
  expect(await quorate("snapshot", "save", file, "-s", servers)).toMatchObject({
    exit: 0,
    output: expect.stringContaining("in place of the file that was there"),
  });
  expect(await quorate("snapshot", "verify", file)).toMatchObject({ exit: 0 });
  expect(readdirSync(directory)).toEqual(["backup"]);
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-save-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
