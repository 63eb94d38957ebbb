import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describeCommit, describeMachine, isInMemory } from "./machine.ts";
import { parseOptions, USAGE, type BenchOptions } from "./options.ts";
import { ratiosOf, summarize } from "./report/report.ts";
import { formatTable } from "./report/table.ts";
import { SESSION_TIMEOUT_MS } from "./run/run-context.ts";
import { runRounds } from "./run-rounds.ts";
import { Etcd } from "./systems/etcd.ts";
import { quorate } from "./systems/quorate.ts";
import type { System } from "./systems/system.ts";
import { ZooKeeper } from "./systems/zookeeper.ts";

const BUSY_LOAD = 0.5;
/** A driver of one thread that is this busy limits the figure; one of several threads competes with the servers. */
const DRIVER_CPU_SHARE_MAX = 0.9;
const WRONG_USAGE = 2;

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) process.stdout.write(USAGE);
  else await bench(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(WRONG_USAGE);
}

async function bench(options: BenchOptions): Promise<void> {
  const base = resolve(options.data);
  if (isInMemory(base)) {
    throw new Error(
      `${base} is in memory, where a durable write costs nothing; name a disk with --data`,
    );
  }
  const all: readonly System[] = [quorate, new ZooKeeper(), new Etcd()];
  const systems = all.filter(({ name }) => name === quorate.name || options.peers.includes(name));
  const missing = systems.flatMap((system) => system.missing() ?? []);
  if (missing.length > 0) {
    throw new Error(`${missing.join("\n")}\nOr leave a system out with --peers.`);
  }
  const directory = mkdtempSync(join(base, ".bench-"));
  const clear = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", clear);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  const machine = describeMachine(directory);
  const commit = describeCommit();
  console.error(`# ${machine.cores} × ${machine.cpu}, commit ${commit}`);
  if (machine.loadAverage > BUSY_LOAD) {
    console.error(`# load average ${machine.loadAverage}: figures count only on an idle machine`);
  }
  for (const system of systems) {
    console.error(`# ${system.settings}`);
    await system.build(directory);
  }
  const warmUpMs = options.isQuick ? 2_000 : 5_000;
  const measureMs = options.isQuick ? 5_000 : 20_000;
  const repetitionsMax = options.isQuick ? 3 : 10;
  const driverCpuShareMax = DRIVER_CPU_SHARE_MAX;
  const runs = await runRounds({
    workloads: options.workloads,
    systems,
    rounds: options.rounds,
    settings: { dataDirectory: directory, warmUpMs, measureMs, repetitionsMax, driverCpuShareMax },
    onProgress: (line) => console.error(line),
  });
  const results = summarize(runs);
  const ratios = ratiosOf(results, quorate.name);
  const names = systems.map(({ name }) => name);
  process.stdout.write(`\n${formatTable(names, results, ratios)}`);
  if (options.out === null) return;
  const versions = Object.fromEntries(systems.map((system) => [system.name, system.version()]));
  const settings = {
    warmUpMs,
    measureMs,
    rounds: options.rounds,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    systems: systems.map((system) => system.settings),
  };
  const report = { machine, commit, versions, settings, results, ratios };
  writeFileSync(options.out, `${JSON.stringify(report, null, 2)}\n`);
}
