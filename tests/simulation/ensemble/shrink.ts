import { counted } from "../counted.ts";
import type { FaultEvent } from "./fault-event.ts";
import type { Plan } from "./plan.ts";
import type { Profile } from "./profile.ts";
import { RunFailure, simulate } from "./simulation.ts";

export interface ShrinkOptions {
  /** Real time for all of it, ms. */
  readonly budgetMs: number;
  /** Runs for all of it. */
  readonly runsMax: number;
  /** Told of every smaller run. */
  readonly print: (line: string) => void;
}

/** What came of it. */
export interface Shrunk {
  /** The smallest run found that breaks the same promise. */
  readonly plan: Plan;
  readonly failure: RunFailure;
  readonly runs: number;
}

/** From the last fault to the end of a run that is cut short, ms. */
const TAIL_MS: readonly number[] = [500, 3_000, 10_000];
/** From the start of clients to the first fault, ms. */
const LEAD_MS: readonly number[] = [500, 3_000];

/**
 * Makes a run that breaks a promise smaller as long as it breaks the same one: faults first, then clients and works, nodes,
 * and time. Null: what the plan says does not fail.
 */
export async function shrink(plan: Plan, options: ShrinkOptions): Promise<Shrunk | null> {
  const first = await failureOf(plan);
  return first === null ? null : new Shrinker(plan, first, options).run();
}

class Shrinker {
  readonly #options: ShrinkOptions;
  readonly #endMs: number;
  readonly #rule: string;
  #plan: Plan;
  #failure: RunFailure;
  #runs = 1;

  constructor(plan: Plan, failure: RunFailure, options: ShrinkOptions) {
    this.#options = options;
    this.#endMs = performance.now() + options.budgetMs;
    this.#rule = failure.rule;
    this.#plan = { ...plan, faults: failure.happened };
    this.#failure = failure;
    this.#tell("at first");
  }

  async run(): Promise<Shrunk> {
    await this.#cutEnd();
    await this.#dropFaults();
    await this.#dropClients();
    await this.#dropWorks();
    await this.#dropNodes();
    await this.#dropFaults();
    await this.#cutStart();
    await this.#cutEnd();
    return { plan: this.#plan, failure: this.#failure, runs: this.#runs };
  }

  /** Delta debugging: without halves, without quarters, and so on down to single ones. */
  async #dropFaults(): Promise<void> {
    let size = Math.ceil(this.#plan.faults.length / 2);
    while (size >= 1 && !this.#isOver) {
      let isSmaller = false;
      for (let at = 0; at < this.#plan.faults.length;) {
        const { faults } = this.#plan;
        const rest = [...faults.slice(0, at), ...faults.slice(at + size)];
        if (await this.#takes({ faults: rest })) isSmaller = true;
        else at += size;
      }
      if (size === 1 && !isSmaller) return;
      size = size === 1 ? 1 : Math.ceil(size / 2);
    }
  }

  async #dropClients(): Promise<void> {
    if (this.#plan.profile.readers > 0) await this.#takesProfile({ readers: 0 });
    for (let clients = 1; clients < this.#plan.profile.clients; clients += 1) {
      if (await this.#takesProfile({ clients })) return;
    }
  }

  async #dropWorks(): Promise<void> {
    for (const work of this.#plan.profile.works) {
      const works = this.#plan.profile.works.filter((other) => other !== work);
      if (works.length > 0) await this.#takesProfile({ works });
    }
  }

  async #dropNodes(): Promise<void> {
    const { nodes, spares } = this.#plan.profile;
    if (nodes > 3) await this.#takesProfile({ nodes: 3 });
    for (let fewer = 0; fewer < spares; fewer += 1) {
      if (await this.#takesProfile({ spares: fewer })) return;
    }
  }

  async #cutStart(): Promise<void> {
    const [first] = this.#plan.faults;
    for (const leadMs of LEAD_MS) {
      const earlierMs = (first?.atMs ?? 0) - leadMs;
      if (earlierMs <= 0) return;
      const faults = this.#plan.faults.map((event) => ({
        ...event,
        atMs: event.atMs - earlierMs,
      }));
      const durationMs = this.#plan.profile.durationMs - earlierMs;
      if (await this.#takes({ faults, profile: { ...this.#plan.profile, durationMs } })) return;
    }
  }

  async #cutEnd(): Promise<void> {
    const lastMs = Math.max(0, ...this.#plan.faults.map(({ atMs }) => atMs));
    for (const tailMs of TAIL_MS) {
      const durationMs = Math.ceil(lastMs + tailMs);
      if (durationMs >= this.#plan.profile.durationMs) return;
      if (await this.#takesProfile({ durationMs })) return;
    }
  }

  #takesProfile(changes: Partial<Profile>): Promise<boolean> {
    return this.#takes({ profile: { ...this.#plan.profile, ...changes } });
  }

  /** True: the run breaks the same promise with these changes too, and takes the place of the one before. */
  async #takes(changes: Partial<Plan>): Promise<boolean> {
    if (this.#isOver) return false;
    const plan = { ...this.#plan, ...changes };
    this.#runs += 1;
    const failure = await failureOf(plan);
    if (failure?.rule !== this.#rule) return false;
    this.#plan = { ...plan, faults: failure.happened };
    this.#failure = failure;
    this.#tell("still");
    return true;
  }

  get #isOver(): boolean {
    return this.#runs >= this.#options.runsMax || performance.now() >= this.#endMs;
  }

  #tell(how: string): void {
    const { profile, faults } = this.#plan;
    this.#options.print(
      `shrink: ${how} ${this.#rule} with ${counted(faults.length, "fault")}, ${profile.nodes}+${profile.spares} nodes, ` +
        `${counted(profile.clients, "client")}, ${counted(profile.works.length, "work")}, ` +
        `${(profile.durationMs / 1_000).toFixed(1)} s (${counted(this.#runs, "run")})`,
    );
  }
}

async function failureOf({ profile, faults }: Plan): Promise<RunFailure | null> {
  try {
    await simulate(profile, null, faults);
    return null;
  } catch (error) {
    if (error instanceof RunFailure) return error;
    throw error;
  }
}

/** Faults for people, one a line. */
export function describeFaults(faults: readonly FaultEvent[]): readonly string[] {
  return faults.map((event) => {
    const { atMs, fault, ...rest } = event;
    return `${atMs.toFixed(1).padStart(10)} ${fault} ${JSON.stringify(rest)}`;
  });
}
