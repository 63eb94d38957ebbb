import type { WatchMode, WatchNotice } from "@quorate/client";
import { zxid as zxidOf, type Zxid } from "../../../packages/kv-store/src/protocol/ids.ts";
import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import { Violation } from "../violation.ts";
import type { AppSession, Work } from "./application.ts";
import type { World } from "./world.ts";

/** What one watch of one session said. */
export interface Watched {
  readonly number: number;
  readonly path: string;
  readonly mode: WatchMode;
  /** Everything after this revision is to be told. */
  readonly fromZxid: number;
  /** It was to begin there, and not with what comes next. */
  readonly isResumed: boolean;
  readonly withData: boolean;
  /** `data`: of those that came with it. */
  readonly events: {
    readonly zxid: number;
    readonly path: string;
    readonly data: string | null;
    readonly kind: Extract<WatchNotice, { readonly type: "event" }>["kind"];
  }[];
  /** Revisions that the watch said it does not know: between these two. */
  readonly gaps: { readonly afterZxid: number; readonly upToZxid: number }[];
  /** The latest revision that its session was answered with while it was open: it has told everything up to there. */
  answeredZxid: number;
}

/** A watch while it tells. */
interface OpenWatch {
  readonly record: Watched;
  /** Up to where it has told. */
  upToZxid: number;
}

/** What a session is to watch. */
interface WatchPlan {
  readonly path: string;
  readonly mode: WatchMode;
  readonly withData: boolean;
  readonly sinceZxid: Zxid | undefined;
}

/** Part of the sessions that watch: events are most of what nodes have to say, and a few who hear all are enough. */
const WATCHING_PART = 0.5;
/** Of them, those that go on where an earlier watch of anybody had come to. */
const RESUMING_PART = 0.3;
const WITH_DATA_PART = 0.5;
/** No run has more than a quarter of them, which images hold, too. */
const CHANGES_OF_A_RUN = 100_000;
const BYTES_OF_A_RUN = 16_777_216;
const EVERYTHING = "/";
const REGISTER = /^\/r\d+$/u;

/** Sessions watch the tree or parts of it, from now or from an earlier revision on, and remember what they hear. */
export class WatchWork implements Work {
  readonly name = "watch" as const;
  readonly watched: Watched[] = [];
  /** Of each session. */
  readonly #open = new Map<number, Set<OpenWatch>>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async run(session: AppSession): Promise<void> {
    if (session.random.nextFraction() >= WATCHING_PART) return;
    const open = new Set<OpenWatch>();
    this.#open.set(session.number, open);
    await Promise.all(this.#plans(session.random).map((plan) => this.#follow(session, plan, open)));
  }

  /** Everything and, in some runs, parts of it in each of the ways there are: what is told of one is told of the other. */
  #plans(random: SeededRandom): readonly WatchPlan[] {
    const { hasNarrowWatches, paths } = this.#world.profile;
    const everything = this.#plan(random, EVERYTHING, "recursive");
    if (!hasNarrowWatches) return [everything];
    return [
      everything,
      this.#plan(random, `/r${random.nextBelow(paths)}`, "persistent"),
      this.#plan(random, "/seq", random.nextFraction() < 0.5 ? "persistent" : "recursive"),
      this.#plan(random, "/e", random.nextFraction() < 0.5 ? "persistent" : "recursive"),
    ];
  }

  #plan(random: SeededRandom, path: string, mode: WatchMode): WatchPlan {
    const sinceZxid = this.#revisionToResume(random);
    return { path, mode, sinceZxid, withData: random.nextFraction() < WITH_DATA_PART };
  }

  async #follow(session: AppSession, plan: WatchPlan, all: Set<OpenWatch>): Promise<void> {
    const { client, number } = session;
    const { path, mode, withData, sinceZxid } = plan;
    const watch = await client.watch(path, { mode, withData, sinceZxid });
    const record: Watched = {
      ...{ number, path, mode, withData, events: [], gaps: [], answeredZxid: 0 },
      fromZxid: sinceZxid ?? client.lastZxid,
      isResumed: sinceZxid !== undefined,
    };
    this.watched.push(record);
    const open: OpenWatch = { record, upToZxid: client.lastZxid };
    all.add(open);
    const close = async (): Promise<void> => {
      while (session.isLive) await session.think();
      await watch.close();
    };
    const closing = close();
    for await (const notice of watch) this.#note(session, open, notice);
    all.delete(open);
    await closing;
  }

  #note(session: AppSession, open: OpenWatch, notice: WatchNotice): void {
    const { record } = open;
    const last = Math.max(record.events.at(-1)?.zxid ?? 0, record.gaps.at(-1)?.upToZxid ?? 0);
    if (notice.type === "lost") {
      record.gaps.push({ afterZxid: last, upToZxid: notice.zxid });
      // A server that is behind what was heard elsewhere cannot tell whether it will ever come there.
      if (notice.zxid >= record.fromZxid) this.#checkLoss(session, notice.zxid);
      open.upToZxid = Math.max(open.upToZxid, notice.zxid);
      return;
    }
    if (notice.zxid < last) {
      const text = `session ${session.client.session} heard of ${notice.zxid} after ${last}`;
      this.#world.fail(new Violation("W1 order", text));
    }
    open.upToZxid = Math.max(open.upToZxid, notice.zxid);
    const { zxid, path, kind } = notice;
    record.events.push({ zxid, path, data: this.#textOf(notice), kind });
  }

  #textOf({ path, data }: Extract<WatchNotice, { readonly type: "event" }>): string | null {
    if (data === undefined) return null;
    return REGISTER.test(path) ? this.#world.values.nameOf(data) : new TextDecoder().decode(data);
  }

  /** Where nodes know all changes of a run, and keep what nobody has read yet, nothing is missed. */
  #checkLoss({ client }: AppSession, zxid: number): void {
    const { changeLogCount, unreadBytes } = this.#world.profile;
    if (changeLogCount < CHANGES_OF_A_RUN || unreadBytes < BYTES_OF_A_RUN) return;
    const text = `session ${client.session} was told that it missed something up to ${zxid}`;
    this.#world.fail(new Violation("W4 no needless loss", text));
  }

  /** Undefined: none. */
  #revisionToResume(random: SeededRandom): Zxid | undefined {
    if (random.nextFraction() >= RESUMING_PART || this.watched.length === 0) return undefined;
    const last = this.watched[random.nextBelow(this.watched.length)]?.events.at(-1);
    return last === undefined ? undefined : zxidOf(last.zxid);
  }

  /** A session was answered with a change of `zxid`: its watches have told of it before. */
  checkHeard(session: AppSession, zxid: number): void {
    if (!session.isLive) return;
    for (const { record, upToZxid } of this.#open.get(session.number) ?? []) {
      record.answeredZxid = Math.max(record.answeredZxid, zxid);
      if (record.path !== EVERYTHING || upToZxid >= zxid) continue;
      const text = `session ${session.client.session} was answered with ${zxid}, its watch has told up to ${upToZxid}`;
      this.#world.fail(new Violation("W6 events precede replies", text));
    }
  }
}
