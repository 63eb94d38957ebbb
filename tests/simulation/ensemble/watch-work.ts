import type { WatchNotice } from "@quorate/client";
import { zxid as zxidOf, type Zxid } from "../../../packages/kv-store/src/protocol/ids.ts";
import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import { Violation } from "../violation.ts";
import type { AppSession, Work } from "./application.ts";
import type { World } from "./world.ts";

/** What one watch of one session said. */
export interface Watched {
  readonly number: number;
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
}

/** Part of the sessions that watch: events are most of what nodes have to say, and a few who hear all are enough. */
const WATCHING_PART = 0.5;
/** Of them, those that go on where an earlier watch of anybody had come to. */
const RESUMING_PART = 0.3;
const WITH_DATA_PART = 0.5;
/** No run has more than a quarter of them, which images hold, too. */
const CHANGES_OF_A_RUN = 100_000;
const BYTES_OF_A_RUN = 16_777_216;

/** Sessions watch the whole tree, from now or from an earlier revision on, and remember what they hear. */
export class WatchWork implements Work {
  readonly name = "watch" as const;
  readonly watched: Watched[] = [];
  /** The latest watch of each session, and up to where it has told. */
  readonly #heard = new Map<number, { upToZxid: number; isOpen: boolean }>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async run(session: AppSession): Promise<void> {
    if (session.random.nextFraction() >= WATCHING_PART) return;
    const { client, number } = session;
    const sinceZxid = this.#revisionToResume(session.random);
    const withData = session.random.nextFraction() < WITH_DATA_PART;
    const watch = await client.watch("/", { mode: "recursive", withData, sinceZxid });
    const fromZxid = sinceZxid ?? client.lastZxid;
    const isResumed = sinceZxid !== undefined;
    const record: Watched = { number, fromZxid, isResumed, withData, events: [], gaps: [] };
    this.watched.push(record);
    const heard = { upToZxid: client.lastZxid as number, isOpen: true };
    this.#heard.set(number, heard);
    const close = async (): Promise<void> => {
      while (session.isLive) await session.think();
      await watch.close();
    };
    const closing = close();
    let last = 0;
    for await (const notice of watch) {
      if (notice.type === "lost") {
        record.gaps.push({ afterZxid: last, upToZxid: notice.zxid });
        // A server that is behind what was heard elsewhere cannot tell whether it will ever come there.
        if (notice.zxid >= fromZxid) this.#checkLoss(session, notice.zxid);
        last = Math.max(last, notice.zxid);
        heard.upToZxid = Math.max(heard.upToZxid, last);
        continue;
      }
      if (notice.zxid < last) {
        const text = `session ${client.session} heard of ${notice.zxid} after ${last}`;
        this.#world.fail(new Violation("W1 order", text));
      }
      last = notice.zxid;
      heard.upToZxid = Math.max(heard.upToZxid, last);
      const { zxid, path, kind } = notice;
      const data = notice.data === undefined ? null : new TextDecoder().decode(notice.data);
      record.events.push({ zxid, path, data, kind });
    }
    heard.isOpen = false;
    await closing;
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

  /** A session was answered with a change of `zxid`: its watch has told of it before. */
  checkHeard(session: AppSession, zxid: number): void {
    const heard = this.#heard.get(session.number);
    if (heard === undefined || !heard.isOpen || !session.isLive) return;
    if (heard.upToZxid >= zxid) return;
    const text = `session ${session.client.session} was answered with ${zxid}, its watch has told up to ${heard.upToZxid}`;
    this.#world.fail(new Violation("W6 events precede replies", text));
  }
}
