import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { sweepAfterDeath } from "./child-processes.ts";
import { Journal, refuseResume, type JournalHead } from "./journal.ts";
import { describeCommit, describeMachine, identifyMachine, isInMemory } from "./machine.ts";
import { parseOptions, USAGE, type BenchOptions } from "./options.ts";
import { missingRatiosOf, ratiosOf } from "./report/ratios.ts";
import { summarize, type Report, type ReportSettings } from "./report/report.ts";
import { formatTable } from "./report/table.ts";
import { runRounds, type FinishedRun } from "./run-rounds.ts";
import { SESSION_TIMEOUT_MS } from "./run/run-context.ts";
import { Etcd } from "./systems/etcd.ts";
import { etcd3 } from "./systems/etcd3.ts";
import { quorate } from "./systems/quorate.ts";
import type { System } from "./systems/system.ts";
import { ZooKeeper } from "./systems/zookeeper.ts";

const BUSY_LOAD = 0.5;
/** A driver of one thread that is this busy limits the figure; one of several threads competes with the servers. */
const DRIVER_CPU_SHARE_MAX = 0.9;
const WRONG_USAGE = 2;
const STAND_INS: ReadonlySet<string> = new Set([etcd3.name]);

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
  const systems = chooseSystems(options);
  const machine = describeMachine(base);
  const commit = describeCommit();
  const versions = Object.fromEntries(systems.map((system) => [system.name, system.version()]));
  const settings = settingsOf(options, systems);
  const head = {
    machine: identifyMachine(machine),
    settings: { ...settings, versions, workloads: options.workloads.map(({ id }) => id) },
  };
  const journal = options.out === null ? null : new Journal(options.out);
  const finished = openJournal(journal, head, { ...options, commit });
  console.error(`# ${machine.cores} × ${machine.cpu}, commit ${commit}`);
  if (machine.loadAverage > BUSY_LOAD) {
    console.error(`# load average ${machine.loadAverage}: figures count only on an idle machine`);
  }
  const directory = mkdtempSync(join(base, ".bench-"));
  const clear = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", clear);
  sweepAfterDeath(directory);
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      if (journal !== null) console.error(`# broken off; --resume goes on from ${journal.file}`);
      process.exit(1);
    });
  for (const system of systems) {
    console.error(`# ${system.settings}`);
    await system.build(directory);
  }
  const { warmUpMs, measureMs, repetitionsMax } = settings;
  const driverCpuShareMax = DRIVER_CPU_SHARE_MAX;
  const runs = await runRounds({
    workloads: options.workloads,
    systems,
    rounds: options.rounds,
    settings: { dataDirectory: directory, warmUpMs, measureMs, repetitionsMax, driverCpuShareMax },
    finished,
    commit: describeCommit,
    onFinished: (run) => {
      journal?.append(run);
      if (run.commit !== commit) console.error(`# that was commit ${run.commit}, not ${commit}`);
    },
    onProgress: (line) => console.error(line),
  });
  const results = summarize(runs, { workloads: options.workloads, measureMs });
  const comparison = { results, subject: quorate.name, standIns: STAND_INS };
  const figures = {
    results,
    ratios: ratiosOf(comparison),
    missingRatios: missingRatiosOf(comparison),
  };
  process.stdout.write(
    `\n${formatTable({ systems: systems.map(({ name }) => name), ...figures })}`,
  );
  if (options.out === null) return;
  const commits = [...new Set(runs.map((run) => run.commit))].join(", ");
  const report: Report = { machine, commit: commits, versions, settings, ...figures, runs };
  writeFileSync(options.out, `${JSON.stringify(report, null, 2)}\n`);
  journal?.remove();
}

function chooseSystems(options: BenchOptions): readonly System[] {
  const all: readonly System[] = [quorate, new ZooKeeper(), new Etcd(), etcd3];
  const systems = all.filter(({ name }) => name === quorate.name || options.peers.includes(name));
  const missing = systems.flatMap((system) => system.missing() ?? []);
  if (missing.length > 0) {
    throw new Error(`${missing.join("\n")}\nOr leave a system out with --peers.`);
  }
  return systems;
}

function settingsOf({ isQuick, rounds }: BenchOptions, systems: readonly System[]): ReportSettings {
  return {
    warmUpMs: isQuick ? 2_000 : 5_000,
    measureMs: isQuick ? 5_000 : 20_000,
    repetitionsMax: isQuick ? 3 : 10,
    rounds,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    systems: systems.map((system) => system.settings),
  };
}

/** Runs that were finished before; the journal is ready to be appended to. */
function openJournal(
  journal: Journal | null,
  head: JournalHead,
  { isResumed, isAnyCommit, commit }: BenchOptions & { readonly commit: string },
): readonly FinishedRun[] {
  if (journal === null) return [];
  if (!journal.exists()) {
    journal.begin(head);
    return [];
  }
  const content = journal.read();
  if (content.runs.length === 0) {
    journal.remove();
    journal.begin(head);
    return [];
  }
  if (!isResumed) {
    throw new Error(
      `${journal.file} has runs of a benchmark that was broken off: go on with --resume, or remove it`,
    );
  }
  const refusal = refuseResume(content, { head, commit, isAnyCommit });
  if (refusal !== null) throw new Error(`${journal.file}: ${refusal}`);
  console.error(`# ${content.runs.length} runs are finished`);
  return content.runs;
}
