import { logIndex, nodeId, term } from "@quorate/raft";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { MicroCase } from "./micro-case.ts";
import { entriesFrom, sampleCommands } from "./sample-data.ts";
import type { ServerInternals } from "./server-internals.ts";

const GROUPS = [1, 256];
const TAG = new Uint8Array(16).fill(9);
const HARD_STATE = { term: term(1), votedFor: nodeId(1) };
/** Entries after which the log is cut: it would take all memory. */
const KEPT_ENTRIES = 20_000;

type Files = Parameters<ServerInternals["writeAheadLog"]["WriteAheadLog"]["open"]>[0];

/** One group commit: laid out as a record, and appended to a log in memory and on the disk of `directory`. */
export async function logCases(
  internals: ServerInternals,
  directory: string,
): Promise<readonly MicroCase[]> {
  const { MemoryFiles } = internals.memoryFiles;
  const { NodeFiles } = internals.nodeFiles;
  const cases: MicroCase[] = GROUPS.map((group) => recordCase(internals, group));
  for (const group of GROUPS) {
    const inMemory = { where: "in memory", files: new MemoryFiles(), directory: "/log" };
    cases.push(await appendCase(internals, { ...inMemory, group }));
  }
  for (const group of GROUPS) {
    const path = join(directory, `log-${group}`);
    mkdirSync(path);
    const onDisk = { where: "on disk", files: new NodeFiles(), directory: path };
    cases.push(await appendCase(internals, { ...onDisk, group }));
  }
  return cases;
}

function recordCase({ logRecord, entryCodec }: ServerInternals, group: number): MicroCase {
  const writer = new logRecord.RecordWriter();
  const block = entryCodec.encodeEntries(entriesFrom(1, sampleCommands(group)));
  const marker = new Uint8Array(0);
  let sequence = 0;
  return {
    name: `log: lay a record of ${group} out`,
    operations: group,
    run: () => {
      sequence += 1;
      const where = { salt: 1, sequence, previousChain: 1n };
      return writer.write({ ...where, hardState: HARD_STATE, marker, block });
    },
  };
}

async function appendCase(
  { writeAheadLog, entryCodec, systemRandom }: ServerInternals,
  at: {
    readonly where: string;
    readonly files: Files;
    readonly directory: string;
    readonly group: number;
  },
): Promise<MicroCase> {
  const { where, files, directory, group } = at;
  await files.makeDirectory(directory);
  const random = new systemRandom.SystemRandom();
  const options = { nodeId: nodeId(1), tag: TAG, random, create: true };
  const { log } = await writeAheadLog.WriteAheadLog.open(files, directory, options);
  const commands = sampleCommands(group);
  let next = 1;
  let cutAt = KEPT_ENTRIES;
  return {
    name: `log: append a record of ${group} ${where}`,
    operations: group,
    run: async () => {
      const block = entryCodec.encodeEntries(entriesFrom(next, commands));
      next += group;
      await log.persist({ hardState: HARD_STATE, snapshot: null }, block);
      if (next < cutAt) return;
      cutAt = next + KEPT_ENTRIES;
      await log.compact(logIndex(next - 1));
    },
    close: () => log.close(),
  };
}
