import { QuorateError, type CallOptions } from "@quorate/client";
import { Violation } from "../violation.ts";
import type { AppSession, Work } from "./application.ts";
import { BurstBook, type Call, type Outcome } from "./burst-book.ts";
import { createOnce } from "./create-once.ts";
import type { World } from "./world.ts";

const DIRECTORY = "/bursts";
/** Calls made at once: so many at most, and now and then more than may be under way. */
const CALLS_MAX = 24;
const FLOOD_CALLS = 4_200;
/** Of the bursts. */
const FLOOD_PART = 0.005;
const SET_PART = 0.4;
const LOCAL_PART = 0.5;
/** Of the bursts that somebody loses patience in, and of the calls in these. */
const IMPATIENT_PART = 0.4;
const GIVEN_UP_PART = 0.4;
const PATIENCE_MS = 300;
/** Pauses between bursts, in those of single calls. */
const PAUSES = 3;
/** Of what was given up; anything else is a failure. */
const GIVEN_UP: ReadonlySet<string> = new Set(["TIMEOUT", "ABORTED"]);

/**
 * Every session makes many calls at once on a znode that is its own, without waiting for answers, and gives some of them up:
 * what it is told agrees with one order, that of its calls.
 */
export class BurstWork implements Work {
  readonly name = "bursts" as const;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async run(session: AppSession): Promise<void> {
    const { client, number } = session;
    const path = `${DIRECTORY}/${number}`;
    await createOnce(client, DIRECTORY);
    await client.create(path, "0", { mode: "ephemeral" });
    const book = new BurstBook();
    while (session.isLive) {
      const disorder = book.findDisorder(await burst(session, path, book));
      if (disorder !== null) {
        this.#world.fail(new Violation("C2 bursts", `${path}: ${disorder}`));
        return;
      }
      for (let pause = 0; pause < PAUSES && session.isLive; pause += 1) await session.think();
    }
    await client.delete(path);
  }
}

/** Resolves when all calls of one burst have ended, in their order. */
function burst(session: AppSession, path: string, book: BurstBook): Promise<readonly Call[]> {
  const { random } = session;
  const isFlood = random.nextFraction() < FLOOD_PART;
  const count = isFlood ? FLOOD_CALLS : 1 + random.nextBelow(CALLS_MAX);
  const setPart = isFlood ? 1 / count : SET_PART;
  const givenUpPart = !isFlood && random.nextFraction() < IMPATIENT_PART ? GIVEN_UP_PART : 0;
  const calls = Array.from({ length: count }, async (): Promise<Call> => {
    const isSet = random.nextFraction() < setPart;
    const options = random.nextFraction() < givenUpPart ? patience(session) : {};
    const set = isSet ? book.nextSet() : book.lastSet;
    const ask = isSet ? setTo : read;
    return { isSet, set, outcome: await outcomeOf(ask(session, { path, set, options })) };
  });
  return Promise.all(calls);
}

interface Asked {
  readonly path: string;
  readonly set: number;
  readonly options: CallOptions;
}

/** One of the two ways to give a call up, after a while. */
function patience({ clock, random }: AppSession): CallOptions {
  const afterMs = 1 + random.nextBelow(PATIENCE_MS);
  if (random.nextFraction() < 0.5) return { timeoutMs: afterMs };
  const controller = new AbortController();
  clock.after(afterMs, () => controller.abort());
  return { signal: controller.signal };
}

async function setTo({ client }: AppSession, { path, set, options }: Asked): Promise<Outcome> {
  const { version, mzxid } = await client.set(path, String(set), options);
  return { kind: "ok", value: set, version, zxid: mzxid };
}

async function read({ client, random }: AppSession, asked: Asked): Promise<Outcome> {
  const consistency = random.nextFraction() < LOCAL_PART ? "local" : "linearizable";
  const { data, stat } = await client.get(asked.path, { ...asked.options, consistency });
  const { version, mzxid } = stat;
  return { kind: "ok", value: Number(new TextDecoder().decode(data)), version, zxid: mzxid };
}

async function outcomeOf(asked: Promise<Outcome>): Promise<Outcome> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof QuorateError) || !GIVEN_UP.has(error.code)) throw error;
    return { kind: error.outcomeUnknown ? "unknown" : "never" };
  }
}
