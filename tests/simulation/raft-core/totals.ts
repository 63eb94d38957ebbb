import type { Recorded } from "../record.ts";
import type { RunResult } from "./simulator.ts";

const HOUR_US = 3_600_000_000;

/** What many runs did together. */
export class Totals implements Recorded {
  #runs = 0;
  #violations = 0;
  #simulatedUs = 0;
  #events = 0;
  #elections = 0;
  #crashes = 0;
  #operations = 0;

  get runs(): number {
    return this.#runs;
  }

  get violations(): number {
    return this.#violations;
  }

  get countedHours(): number {
    return this.#simulatedUs / HOUR_US;
  }

  /** Entries that were committed and reads that were answered. */
  get operations(): number {
    return this.#operations;
  }

  get faults(): string {
    return `crash ${this.#crashes}, election ${this.#elections}`;
  }

  add(result: RunResult): void {
    this.#runs += 1;
    this.#simulatedUs += result.simulatedUs;
    this.#events += result.events;
    this.#elections += result.elections;
    this.#crashes += result.crashes;
    this.#operations += result.committed + result.reads;
  }

  addViolation(): void {
    this.#runs += 1;
    this.#violations += 1;
  }

  /** What there is to say in the end. The last line is for programs as well, and as the ensemble simulator's. */
  lines({ user, system }: NodeJS.CpuUsage): readonly string[] {
    const speed = this.#simulatedUs / (user + system);
    return [
      `faults: ${this.faults}`,
      `speed: ${speed.toFixed(0)} simulated seconds per CPU second`,
      `sim: ${this.#runs} runs, ${this.countedHours.toFixed(2)} simulated hours, ${this.#events} events, ` +
        `${this.#operations} client ops checked, ${this.#violations} violations`,
    ];
  }
}
