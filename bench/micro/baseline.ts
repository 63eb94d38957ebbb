import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { describeCommit } from "../machine.ts";
import { BENCH_SOURCES } from "../repository.ts";

/** Figures that later ones are held against. */
export interface Baseline {
  readonly machine: MicroMachine;
  readonly commit: string;
  /** Of each case, nanoseconds per operation. */
  readonly nanoseconds: Readonly<Record<string, number>>;
}

export interface MicroMachine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
}

const FILE = join(BENCH_SOURCES, "micro/baseline.json");

/** Null when there is none. */
export function readBaseline(file: string = FILE): Baseline | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Baseline) : null;
}

export function writeBaseline(
  nanoseconds: Readonly<Record<string, number>>,
  file: string = FILE,
): void {
  const baseline: Baseline = { machine: microMachine(), commit: describeCommit(), nanoseconds };
  writeFileSync(file, `${JSON.stringify(baseline, null, 2)}\n`);
}

export function microMachine(): MicroMachine {
  const processors = cpus();
  const cpu = processors[0]?.model ?? "?";
  return { cpu, cores: processors.length, node: process.version };
}
