import { QuorateError, type ErrorCode, type MultiOp, type QuorateClient } from "@quorate/client";
import { Violation } from "../violation.ts";
import type { AppSession, Work } from "./application.ts";
import { createOnce } from "./create-once.ts";
import type { World } from "./world.ts";

const ROOT = "/refusals";
/** More znodes than most writes touch. */
const MANY = 70;
const NO_VERSION = 1_000_000;

/** One thing that is asked for below a directory of the session's own. */
type Attempt = (work: RefusalWork, client: QuorateClient, directory: string) => Promise<void>;

/** Asks for what has to be refused, whatever goes on around it, and for what has to be undone. */
export class RefusalWork implements Work {
  readonly name = "refusals" as const;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async run(session: AppSession): Promise<void> {
    const { client, number, random } = session;
    const directory = `${ROOT}/s${number}`;
    await createOnce(client, ROOT);
    await client.create(directory, "as it was");
    while (session.isLive) {
      await ATTEMPTS[random.nextBelow(ATTEMPTS.length)]?.(this, client, directory);
      await session.think();
    }
  }

  /** `asked` has to fail with that code. What ends the session is passed on. */
  async refused(what: string, code: ErrorCode, asked: Promise<unknown>): Promise<void> {
    try {
      await asked;
    } catch (error) {
      if (!(error instanceof QuorateError) || error.code !== code) throw error;
      return;
    }
    this.#world.fail(new Violation("R refused", `${what} was not refused with ${code}`));
  }

  /** What a write that failed would have changed has to be as it was. */
  async unchanged(client: QuorateClient, directory: string): Promise<void> {
    const { data, stat } = await client.get(directory);
    const text = new TextDecoder().decode(data);
    if (text === "as it was" && stat.version === 0) return;
    this.#world.fail(
      new Violation("C5 undone", `${directory} is "${text}", version ${stat.version}`),
    );
  }
}

const belowEphemerals: Attempt = async (work, client, directory) => {
  const path = `${directory}/ephemeral`;
  await client.create(path, "", { mode: "ephemeral" });
  await work.refused(
    "a child of an ephemeral",
    "NO_CHILDREN_FOR_EPHEMERALS",
    client.create(`${path}/x`),
  );
  const lock = client.lock(path).tryAcquire();
  await work.refused("a lock on an ephemeral", "NO_CHILDREN_FOR_EPHEMERALS", lock);
  await work.refused("the end of a parent", "NOT_EMPTY", client.delete(directory));
  await work.refused("a lock among others", "LOCK_DIRECTORY", client.lock(directory).tryAcquire());
  await client.delete(path);
};

const otherVersions: Attempt = async (work, client, directory) => {
  const version = NO_VERSION;
  await work.refused("a set", "BAD_VERSION", client.set(directory, "x", { version }));
  await work.refused("a delete", "BAD_VERSION", client.delete(directory, { version }));
};

const undone: Attempt = async (work, client, directory) => {
  const [kept, made] = [`${directory}/kept`, `${directory}/made`];
  await client.create(kept);
  const ops: readonly MultiOp[] = [
    { kind: "set", path: directory, data: "x" },
    { kind: "create", path: made },
    { kind: "delete", path: kept },
    { kind: "check", path: directory, version: NO_VERSION },
  ];
  await work.refused("a multi", "BAD_VERSION", client.multi(ops));
  await work.unchanged(client, directory);
  await client.delete(kept);
};

const many: Attempt = async (_work, client, directory) => {
  const paths = Array.from({ length: MANY }, (_, at) => `${directory}/m${at}`);
  await client.multi(paths.map((path): MultiOp => ({ kind: "create", path })));
  await client.multi(paths.map((path): MultiOp => ({ kind: "delete", path })));
};

const heldLocks: Attempt = async (work, client, directory) => {
  const path = `${directory}/lock`;
  const held = await client.lock(path).acquire();
  if ((await client.lock(path).tryAcquire()) !== null) {
    await work.refused("a second holder", "LOCK_HELD", Promise.resolve());
  }
  await work.refused("a child of a lock", "LOCK_DIRECTORY", client.create(`${path}/x`));
  await held.release();
  const late = client.multi([{ kind: "set", path: directory, data: "x" }, held.guard()]);
  await work.refused("a write under a lock given back", "FENCED", late);
  await work.unchanged(client, directory);
};

const givenUp: Attempt = async (_work, client, directory) => {
  const controller = new AbortController();
  const reading = client.get(directory, { signal: controller.signal });
  controller.abort();
  await reading.catch((error: unknown) => {
    if (!(error instanceof QuorateError) || error.code !== "ABORTED") throw error;
  });
};

const ATTEMPTS: readonly Attempt[] = [
  belowEphemerals,
  otherVersions,
  undone,
  many,
  heldLocks,
  givenUp,
];
