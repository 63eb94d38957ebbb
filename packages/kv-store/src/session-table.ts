import { assert } from "./assert.ts";
import { IdMap } from "./id-map.ts";
import { PathMap } from "./path-map.ts";
import type { SessionId } from "./protocol/index.ts";
import type { Session } from "./session.ts";
import { SortedNames } from "./sorted-names.ts";

const ID_DIGITS = 16;

/** The live sessions, by id and by verifier. */
export class SessionTable {
  readonly #byId = new IdMap<Session>();
  readonly #byVerifier = new PathMap<Session>();
  /** Ids in fixed width, so that their order is the numbers'. */
  readonly #order = new SortedNames();

  get size(): number {
    return this.#byId.size;
  }

  get(id: SessionId): Session | undefined {
    return this.#byId.get(id);
  }

  withVerifier(verifier: Uint8Array): Session | undefined {
    return this.#byVerifier.get(verifierKey(verifier));
  }

  add(session: Session): void {
    assert(this.#byId.get(session.id) === undefined, "session_id_unused");
    this.#byId.set(session.id, session);
    this.#byVerifier.set(verifierKey(session.verifier), session);
    this.#order.add(orderKey(session.id));
    assert(this.#order.size === this.#byId.size, "session_order_complete");
  }

  delete(session: Session): void {
    const wasThere = this.#byId.delete(session.id);
    assert(wasThere, "deleted_session_known");
    this.#byVerifier.delete(verifierKey(session.verifier));
    this.#order.delete(orderKey(session.id));
    assert(this.#order.size === this.#byId.size, "session_order_complete");
  }

  /** At most `limit` sessions with ids above `after`, ascending. */
  page(
    after: SessionId | 0,
    limit: number,
  ): { readonly sessions: readonly Session[]; readonly more: boolean } {
    const { names, more } = this.#order.page(orderKey(after), limit);
    return { sessions: names.map((name) => this.#named(name)), more };
  }

  /** Ascending by id. */
  *values(): IterableIterator<Session> {
    for (const name of this.#order) yield this.#named(name);
  }

  #named(name: string): Session {
    const session = this.#byId.get(Number(name));
    assert(session !== undefined, "ordered_session_known", () => name);
    return session;
  }
}

function orderKey(id: SessionId | 0): string {
  return String(id).padStart(ID_DIGITS, "0");
}

function verifierKey(verifier: Uint8Array): string {
  let key = "";
  for (const byte of verifier) key += String.fromCharCode(byte);
  return key;
}
