import { QuorateError } from "@quorate/client";
import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type {
  HistoryRecord,
  Operation,
  OperationRecord,
  Outcome,
} from "../../linearizability/history.ts";
import { Violation } from "../violation.ts";
import type { AppSession, Work } from "./application.ts";
import { createOnce } from "./create-once.ts";
import type { WatchWork } from "./watch-work.ts";
import type { World } from "./world.ts";

const LANES = 2;
/** Of a session that only reads. */
const READING_LANES = 8;
const WORKED_ON_MS = 5;
/** Of reading sessions' reads, those of what their server has once it has caught up. */
const SYNCED_PART = 0.3;

type Choice = (random: SeededRandom, version: number | undefined, value: string) => Operation;

const GET: Operation = { kind: "get" };

/** One session at its work. */
interface Caller {
  readonly session: AppSession;
  readonly choice: Choice;
  /** It writes nothing. */
  readonly isReader: boolean;
  /** As it saw them last, by path. */
  readonly versions: Map<string, number>;
  /** Of its latest call. */
  sequence: number;
}

/** Reads and writes of a few registers by everybody, recorded for the checkers. */
export class RegisterWork implements Work {
  readonly name = "registers" as const;
  readonly #ended: OperationRecord[] = [];
  /** Under way; those of a process that died stay so for ever. */
  readonly #open = new Set<OperationRecord>();
  readonly #world: World;
  readonly #watches: WatchWork;
  readonly #paths: readonly string[];
  #issued = 0;

  constructor(world: World, watches: WatchWork) {
    this.#world = world;
    this.#watches = watches;
    this.#paths = Array.from({ length: world.profile.paths }, (_, at) => `/r${at}`);
  }

  /** Operations that ended. */
  get ended(): readonly OperationRecord[] {
    return this.#ended;
  }

  /** Everything that was asked. What was never answered may have taken effect at any time. */
  get history(): readonly HistoryRecord[] {
    return [...this.#ended, ...this.#open];
  }

  /** The same for sessions that only read. */
  get reading(): Work {
    return { name: this.name, run: (session) => this.#run(session, READING_LANES, () => GET) };
  }

  run(session: AppSession): Promise<void> {
    return this.#run(session, LANES, choose);
  }

  async #run(session: AppSession, lanes: number, choice: Choice): Promise<void> {
    await this.#createAll(session);
    const isReader = lanes === READING_LANES;
    const caller: Caller = { session, choice, isReader, versions: new Map(), sequence: 0 };
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        while (session.isLive) {
          await this.#one(caller);
          await session.think();
        }
      }),
    );
  }

  async #createAll({ client }: AppSession): Promise<void> {
    for (const path of this.#paths) {
      await createOnce(client, path, this.#world.values.bytesOf("0"));
    }
  }

  async #one(caller: Caller): Promise<void> {
    const { time } = this.#world;
    const { session, versions, choice } = caller;
    const { random } = session;
    const path = this.#paths[random.nextBelow(this.#paths.length)] ?? "/";
    this.#issued += 1;
    caller.sequence += 1;
    const { sequence } = caller;
    const operation = choice(random, versions.get(path), `${session.number}.${this.#issued}`);
    const open: OperationRecord = {
      kind: "operation",
      client: session.number,
      sequence,
      path,
      operation,
      outcome: { kind: "unknown", code: "UNANSWERED" },
      invokedMs: time.nowMs,
      returnedMs: Infinity,
    };
    this.#open.add(open);
    const isSynced = caller.isReader && random.nextFraction() < SYNCED_PART;
    const outcome = isSynced
      ? await outcomeOf(() => this.#readSynced(session, path))
      : await outcomeOf(() => this.#perform(session, path, operation));
    this.#checkHeard(session, outcome);
    this.#open.delete(open);
    if (outcome.kind === "ok" && outcome.observed !== null) {
      versions.set(path, outcome.observed.version);
    }
    if (outcome.kind === "unknown" && isOpen(session)) {
      const text = `${operation.kind} of ${path} in live session ${session.client.session}: ${outcome.code}`;
      this.#world.fail(new Violation("C4 no unknown outcome", text));
    }
    if (outcome.kind === "fail" && isOpen(session) && !mayFail(operation, outcome.code)) {
      const text = `${operation.kind} of ${path} in live session ${session.client.session}: ${outcome.code}`;
      this.#world.fail(new Violation("C1 answered", text));
    }
    if (outcome.kind !== "unknown") session.noteAnswered();
    const returnedMs = outcome.kind === "unknown" ? Infinity : time.nowMs;
    this.#ended.push({ ...open, outcome, returnedMs });
  }

  async #perform({ client }: AppSession, path: string, operation: Operation): Promise<Answer> {
    if (operation.kind === "get") return this.#answerOf(await client.get(path));
    if (operation.kind !== "set" && operation.kind !== "compareAndSet") {
      throw new Error(`no register does ${operation.kind}`);
    }
    const { value } = operation;
    const condition =
      operation.kind === "compareAndSet" ? { version: operation.expectedVersion } : {};
    const stat = await client.set(path, this.#world.values.bytesOf(value), condition);
    return { kind: "ok", observed: { value, version: stat.version }, zxid: stat.mzxid };
  }

  /** What the server has is no older than when it was asked to catch up. */
  async #readSynced({ client }: AppSession, path: string): Promise<Answer> {
    const synced = client.sync();
    const [, found] = await Promise.all([synced, client.get(path, { consistency: "local" })]);
    return this.#answerOf(found);
  }

  #answerOf({ data, stat }: Awaited<ReturnType<AppSession["client"]["get"]>>): Answer {
    const observed = { value: this.#world.values.nameOf(data), version: stat.version };
    return { kind: "ok", observed, zxid: stat.mzxid };
  }

  /** Once whatever came together has been worked on: a watch that resumes yields one event after the other. */
  #checkHeard(session: AppSession, outcome: Outcome): void {
    if (outcome.kind !== "ok" || outcome.zxid === null) return;
    const { zxid } = outcome;
    this.#world.time.after(WORKED_ON_MS, () => this.#watches.checkHeard(session, zxid));
  }
}

function choose(random: SeededRandom, version: number | undefined, value: string): Operation {
  const dice = random.nextFraction();
  if (dice < 0.4) return GET;
  if (dice < 0.75 || version === undefined) return { kind: "set", value };
  return { kind: "compareAndSet", value, expectedVersion: version };
}

function isOpen({ client, clock }: AppSession): boolean {
  return client.state.kind !== "expired" && client.state.kind !== "closed" && !clock.isDead;
}

/** Registers are there, so nothing but its own condition is in the way of an operation, and disks that are full. */
function mayFail(operation: Operation, code: string): boolean {
  if (operation.kind === "get") return false;
  return code === "DISK_FULL" || (operation.kind === "compareAndSet" && code === "BAD_VERSION");
}

type Answer = Extract<Outcome, { readonly kind: "ok" }>;

async function outcomeOf(act: () => Promise<Answer>): Promise<Outcome> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error;
    return { kind: error.outcomeUnknown ? "unknown" : "fail", code: error.code };
  }
}
