import { QuorateError, type Leader, type Lock } from "@quorate/client";
import { Violation } from "../violation.ts";
import type { AppSession, Work } from "./application.ts";
import { Lag } from "./lag.ts";
import type { World } from "./world.ts";

const ELECTION = "/election";
const CAMPAIGN_MS = 2_000;
/** Part of the sessions that follow who leads. */
const OBSERVING_PART = 0.5;
/** Of an observer that says one leader while the service says another, and neither says anything new. */
const CURRENT_MS = 5_000;
const LOOK_MS = 250;

/** Sessions stand for election, lead for a while and go; some follow who leads. */
export class ElectionWork implements Work {
  readonly name = "election" as const;
  readonly #world: World;
  #lastToken = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async run(session: AppSession): Promise<void> {
    const isObserver = session.random.nextFraction() < OBSERVING_PART;
    const observing = isObserver ? this.#observe(session) : null;
    // Whatever becomes of it is looked at below, but the session may be over before.
    observing?.catch(() => undefined);
    while (session.isLive) {
      await this.#lead(session);
      await session.think();
    }
    await observing;
  }

  async #lead(session: AppSession): Promise<void> {
    const { client, clock, number } = session;
    let lead: Lock;
    try {
      const options = { timeoutMs: CAMPAIGN_MS, data: `${number}` };
      lead = await client.election(ELECTION).campaign(options);
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error;
      if (error.code === "TIMEOUT" || error.code === "LOCK_LOST") return;
      throw error;
    }
    if (clock.isDead) return;
    if (lead.token <= this.#lastToken) {
      const text = `token ${lead.token} after ${this.#lastToken}`;
      this.#world.fail(new Violation("E1 tokens rise", text));
    }
    this.#lastToken = lead.token;
    await session.think();
    await lead.release();
  }

  async #observe(session: AppSession): Promise<void> {
    const leaders = session.client.election(ELECTION).observe()[Symbol.asyncIterator]();
    let known: Leader | null = null;
    const following = (async () => {
      for (;;) {
        const { done, value } = await leaders.next();
        if (done === true) return;
        this.#checkOrder(session, known, value);
        known = value;
      }
    })();
    const ended = following.then(
      () => null,
      (error: unknown) => error,
    );
    while (session.isLive) await session.think();
    await this.#checkCurrent(session, () => known);
    await leaders.return?.();
    const error = await ended;
    if (error !== null) throw error;
  }

  #checkOrder({ client }: AppSession, before: Leader | null, after: Leader | null): void {
    if (before === null || after === null || after.token >= before.token) return;
    const text = `session ${client.session} heard of ${after.token} after ${before.token}`;
    this.#world.fail(new Violation("E2 observers go forward", text));
  }

  /**
   * Everybody who led goes once the run ends: whoever follows hears of that. While writes of the session are refused no read
   * of it is answered, so an answer says what was a moment ago, however long ago it was asked for; and what the observer asked
   * may be answered in the same frame.
   */
  async #checkCurrent(session: AppSession, known: () => Leader | null): Promise<void> {
    const { client, clock } = session;
    const lag = new Lag(CURRENT_MS);
    for (;;) {
      const leader = await client.election(ELECTION).leader();
      if (clock.isDead || known()?.token === leader?.token) return;
      await new Promise<void>((resolve) => {
        clock.after(LOOK_MS, resolve);
      });
      const said = known()?.token ?? null;
      if (lag.isTooLong(this.#world.time.nowMs, said, leader?.token ?? null)) {
        const text = `session ${client.session} knows ${said}, it is ${leader?.token}`;
        this.#world.fail(new Violation("E3 observers are current", text));
        return;
      }
    }
  }
}
