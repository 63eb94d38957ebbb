import type { Fault, Profile } from "./profile.ts";
import type { RunResult } from "./simulation.ts";

/** Calls on shared paths a second: with fewer nothing contends, and the time does not count. */
const LOAD_MIN = 30;
const HOUR_MS = 3_600_000;
/** A kind of fault is to happen at least once in so many of the runs that allow it. */
const RUNS_PER_FAULT = 5;

/** What many runs did together. */
export class Totals {
  #runs = 0;
  #violations = 0;
  #simulatedMs = 0;
  #loadedMs = 0;
  #countedMs = 0;
  #events = 0;
  #operations = 0;
  #sectorsLost = 0;
  #struckTogether = 0;
  #struckWhileDown = 0;
  readonly #faults = new Map<Fault, number>();
  /** Runs that allow a kind of fault, by profile and fault. */
  readonly #allowed = new Map<string, number>();
  readonly #happened = new Map<string, number>();

  get runs(): number {
    return this.#runs;
  }

  get violations(): number {
    return this.#violations;
  }

  add({ kind, faults }: Profile, result: RunResult): void {
    this.#runs += 1;
    this.#simulatedMs += result.simulatedMs;
    this.#loadedMs += result.loadedMs;
    if (isLoaded(result)) this.#countedMs += result.loadedMs;
    this.#events += result.events;
    this.#operations += result.operations;
    this.#sectorsLost += result.sectorsLost;
    this.#struckTogether += result.strikes.together;
    this.#struckWhileDown += result.strikes.whileDown;
    for (const [fault, count] of result.faults) addTo(this.#faults, fault, count);
    for (const fault of new Set(faults)) {
      addTo(this.#allowed, `${kind} ${fault}`, 1);
      addTo(this.#happened, `${kind} ${fault}`, result.faults.get(fault) ?? 0);
    }
  }

  /** What happened too seldom for the runs there were, one a line. */
  get missing(): readonly string[] {
    return [...this.#allowed].flatMap(([name, runs]) => {
      const least = Math.floor(runs / RUNS_PER_FAULT);
      const count = this.#happened.get(name) ?? 0;
      return count >= least ? [] : [`${name} ${count} (at least ${least})`];
    });
  }

  /** Simulated hours that count. */
  get countedHours(): number {
    return this.#countedMs / HOUR_MS;
  }

  get operations(): number {
    return this.#operations;
  }

  /** All kinds of faults with how often each happened. */
  get faults(): string {
    const faults = [...this.#faults].sort(([a], [b]) => (a < b ? -1 : 1));
    const counts = faults.map(([fault, count]) => `${fault} ${count}`);
    const sectors = `unsynced sectors lost ${this.#sectorsLost}`;
    const struck = `disks struck while another was ${this.#struckTogether}, while others were down ${this.#struckWhileDown}`;
    return [...counts, sectors, struck].join(", ");
  }

  addViolation(): void {
    this.#runs += 1;
    this.#violations += 1;
  }

  /** What there is to say in the end. The last line is for programs as well: it stays as it is, for one run too. */
  lines({ user, system }: NodeJS.CpuUsage): readonly string[] {
    const cpuSeconds = (user + system) / 1e6;
    const { missing } = this;
    const perSecond = this.#operations / (this.#loadedMs / 1_000 || 1);
    return [
      `faults: ${this.faults}`,
      ...(missing.length === 0 ? [] : [`too few faults: ${missing.join(", ")}`]),
      `load: ${perSecond.toFixed(0)} operations a simulated second; ${hours(this.#countedMs)} of ` +
        `${hours(this.#loadedMs)} hours count, those of runs with ${LOAD_MIN} or more`,
      `speed: ${(this.#simulatedMs / 1_000 / cpuSeconds).toFixed(0)} simulated seconds and ` +
        `${(this.#events / cpuSeconds).toFixed(0)} events per CPU second`,
      `sim: ${this.#runs} runs, ${hours(this.#simulatedMs)} simulated hours, ${this.#events} events, ` +
        `${this.#operations} client ops checked, ${this.#violations} violations`,
    ];
  }
}

/** Whether the time of a run counts. */
export function isLoaded({ operations, loadedMs }: RunResult): boolean {
  return operations >= (LOAD_MIN * loadedMs) / 1_000;
}

function addTo<K>(counts: Map<K, number>, key: K, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function hours(ms: number): string {
  return (ms / HOUR_MS).toFixed(2);
}
