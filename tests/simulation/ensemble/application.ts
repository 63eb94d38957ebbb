import { QuorateError, type QuorateClient } from "@quorate/client";
import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import { Violation } from "../violation.ts";
import type { ProcessClock } from "./process-clock.ts";
import type { WorkName } from "./profile.ts";
import type { SimClient } from "./sim-client.ts";
import type { World } from "./world.ts";

/** What an application does with one session, until it is over or the run ends. */
export interface Work {
  readonly name: WorkName;
  /** Resolves when there is nothing more to do; rejects with what the SDK rejects with. */
  run(session: AppSession): Promise<void>;
}

/** One session of an application, as its work sees it. */
export interface AppSession {
  readonly client: QuorateClient;
  /** Rises with every session of the run. */
  readonly number: number;
  /** Of the process that the session belongs to. */
  readonly clock: ProcessClock;
  /** Of this work on this host. */
  readonly random: SeededRandom;
  /** False once the run ends, the session is over, or its process has died. */
  readonly isLive: boolean;
  /** Pauses for about that long. */
  think(): Promise<void>;
  /** A call on a path that all share was answered, and what it said is checked. */
  noteAnswered(): void;
}

const RECONNECT_MS = 200;

/** Runs works on one host, session after session, process after process. */
export class Application {
  readonly #world: World;
  readonly #host: SimClient;
  readonly #works: readonly { readonly work: Work; readonly random: SeededRandom }[];
  readonly #nextNumber: () => number;
  #isEnding = false;
  #client: QuorateClient | null = null;
  #open = new Set<object>();

  constructor(world: World, host: SimClient, works: readonly Work[], nextNumber: () => number) {
    this.#world = world;
    this.#host = host;
    this.#works = works.map((work) => ({
      work,
      random: world.stream(`${host.name} ${work.name}`),
    }));
    this.#nextNumber = nextNumber;
  }

  /** Works of the process that runs now which have not come to their end. */
  get open(): number {
    return this.#open.size;
  }

  /** Of the process that runs now; null: it has none. */
  get session(): number | null {
    const client = this.#client;
    return client !== null && isOpen(client) ? client.session : null;
  }

  /** Begins with the process that runs now; to be called again after it was killed. */
  start(): void {
    this.#open = new Set();
    this.#client = null;
    this.#live().catch((error: unknown) => this.#world.fail(error));
  }

  /** Works end at their next step, and the session with them. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#client?.close();
  }

  /** Works end at their next step. */
  quiet(): void {
    this.#isEnding = true;
  }

  async #live(): Promise<void> {
    const { clock } = this.#host;
    while (!this.#isEnding && !clock.isDead) {
      try {
        const client = await this.#host.connect();
        // Killed just as it was let in: what comes now belongs to the next process.
        if (clock.isDead) return;
        this.#client = client;
        // Told to end before there was anything to end.
        if (this.#isEnding) return await client.close();
        await this.#work(client, clock);
      } catch (error) {
        if (!(error instanceof QuorateError) || error.code !== "CONNECTION_FAILED") throw error;
      }
      await new Promise<void>((resolve) => {
        clock.after(RECONNECT_MS, resolve);
      });
    }
  }

  async #work(client: QuorateClient, clock: ProcessClock): Promise<void> {
    const number = this.#nextNumber();
    this.#world.trace.note(this.#host.name, `has session ${client.session}, number ${number}`);
    const works = this.#works.map(({ work, random }) =>
      this.#one(work, this.#session(client, number, { clock, random })),
    );
    await Promise.all(works);
    this.#world.trace.note(this.#host.name, `session ${client.session} is ${client.state.kind}`);
  }

  #session(
    client: QuorateClient,
    number: number,
    { clock, random }: Pick<AppSession, "clock" | "random">,
  ): AppSession {
    const world = this.#world;
    const isEnding = (): boolean => this.#isEnding;
    return {
      client,
      number,
      clock,
      random,
      get isLive() {
        return !isEnding() && !clock.isDead && isOpen(client);
      },
      think: () =>
        new Promise((resolve) => {
          clock.after(world.load.thinkMs * (0.2 + 1.6 * random.nextFraction()), resolve);
        }),
      noteAnswered: () => world.load.noteAnswered(),
    };
  }

  async #one(work: Work, session: AppSession): Promise<void> {
    const open = this.#open;
    const token = {};
    open.add(token);
    try {
      await work.run(session);
    } catch (error) {
      if (error instanceof QuorateError && !isOpen(session.client)) return;
      throw error instanceof Violation
        ? error
        : new Violation(
            "call",
            `${work.name} of session ${session.client.session}: ${String(error)}`,
          );
    } finally {
      open.delete(token);
    }
  }
}

function isOpen(client: QuorateClient): boolean {
  return client.state.kind !== "expired" && client.state.kind !== "closed";
}
