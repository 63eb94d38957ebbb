import { Violation } from "../violation.ts";
import type { AppSession, Work } from "./application.ts";
import { createOnce } from "./create-once.ts";
import type { World } from "./world.ts";

const DIRECTORY = "/seq";
const PREFIX = `${DIRECTORY}/n-`;
/** The others stay, so that a counter that follows the children would come back to what it gave before. */
const DELETED_PART = 0.7;

/** Everybody takes numbers from one parent, and gives most of them back: none is given twice, and they rise in real time. */
export class SequenceWork implements Work {
  readonly name = "sequence" as const;
  readonly #world: World;
  readonly #given = new Set<number>();
  /** Of all numbers whose owner has been told. */
  #highest = -1;

  constructor(world: World) {
    this.#world = world;
  }

  async run(session: AppSession): Promise<void> {
    const { client } = session;
    await createOnce(client, DIRECTORY);
    while (session.isLive) {
      const before = this.#highest;
      const path = await client.create(PREFIX, "", { mode: "persistentSequential" });
      session.noteAnswered();
      this.#note(Number(path.slice(PREFIX.length)), before);
      await session.think();
      if (session.random.nextFraction() < DELETED_PART) {
        await client.delete(path);
        session.noteAnswered();
      }
      await session.think();
    }
  }

  #note(number: number, before: number): void {
    if (this.#given.has(number)) {
      this.#world.fail(new Violation("Q1 unique", `number ${number} was given twice`));
    }
    if (number <= before) {
      const text = `number ${number} was given after ${before} had been told`;
      this.#world.fail(new Violation("Q2 rising", text));
    }
    this.#given.add(number);
    this.#highest = Math.max(this.#highest, number);
  }
}
