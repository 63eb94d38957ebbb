import type { AppSession, Work } from "./application.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** What one watch of one session said. */
export interface Watched {
  readonly number: number;
  /** Everything after this revision is to be told. */
  readonly fromZxid: number;
  /** Everything up to this one has been told, by path. */
  readonly events: { readonly zxid: number; readonly path: string }[];
  /** Revisions that the watch said it does not know: between these two. */
  readonly gaps: { readonly afterZxid: number; readonly upToZxid: number }[];
}

/** Every session watches the whole tree, and remembers what it hears. */
export class WatchWork implements Work {
  readonly name = "watch";
  readonly watched: Watched[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async run(session: AppSession): Promise<void> {
    const { client, number } = session;
    const watch = await client.watch("/", { mode: "recursive" });
    const record: Watched = { number, fromZxid: client.lastZxid, events: [], gaps: [] };
    this.watched.push(record);
    const close = async (): Promise<void> => {
      while (session.isLive) await session.think();
      await watch.close();
    };
    const closing = close();
    let last = 0;
    for await (const notice of watch) {
      if (notice.type === "lost") {
        record.gaps.push({ afterZxid: last, upToZxid: notice.zxid });
        last = Math.max(last, notice.zxid);
        continue;
      }
      if (notice.zxid < last) {
        const text = `session ${client.session} heard of ${notice.zxid} after ${last}`;
        this.#world.fail(new Violation("W1 order", text));
      }
      last = notice.zxid;
      record.events.push({ zxid: notice.zxid, path: notice.path });
    }
    await closing;
  }
}
