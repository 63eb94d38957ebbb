import { reached } from "../points.ts";
import type { MonotonicClock } from "../ports.ts";
import type { Proposals } from "../proposals.ts";
import type { ClientConnection } from "./client-connection.ts";
import { verifierKey } from "./verifier.ts";

interface WaitingAttach {
  readonly connection: ClientConnection;
  /** As it was proposed. */
  readonly command: Uint8Array;
  /** When the client is sent elsewhere, ms on the monotonic clock. */
  readonly deadlineMs: number;
}

/** A client that has not said hello by then is let go; without blame, as its hello may wait where a node that stood still did not hear it. */
const HELLO_TIMEOUT_MS = 3_000;
/** An attach that the log has not decided by then: the client should try another server. */
const ATTACH_TIMEOUT_MS = 2_000;

/**
 * Connections on their way to a session: those that have said nothing yet, those that have seen more than this node, and
 * those whose attach the log decides.
 */
export class Attachments {
  readonly #clock: MonotonicClock;
  readonly #proposals: Proposals;
  /** With the time by which a hello is due; oldest first. */
  readonly #greeting = new Map<ClientConnection, number>();
  /** With the time by which this node has to have seen what they have; oldest first. */
  readonly #ahead = new Map<ClientConnection, number>();
  /** By the key of the proposal; oldest first. */
  readonly #attaching = new Map<string, WaitingAttach>();
  readonly #keys = new Map<ClientConnection, string>();

  constructor(clock: MonotonicClock, proposals: Proposals) {
    this.#clock = clock;
    this.#proposals = proposals;
  }

  get count(): number {
    return this.#greeting.size + this.#ahead.size + this.#attaching.size;
  }

  /** A connection came in. */
  greet(connection: ClientConnection): void {
    this.#greeting.set(connection, this.#clock.nowMs() + HELLO_TIMEOUT_MS);
  }

  /**
   * Its hello came, and says that it has seen more than this node: it waits. A node that is a little behind soon is not; and
   * nothing is proposed on the word of a client that has seen what never was.
   */
  holdBack(connection: ClientConnection): void {
    reached("attach_at_a_node_behind_its_client");
    this.#greeting.delete(connection);
    this.#ahead.set(connection, this.#clock.nowMs() + ATTACH_TIMEOUT_MS);
  }

  /** Those that waited and have seen no more than `zxid`: their attaches may begin. */
  caughtUp(zxid: number): readonly ClientConnection[] {
    if (this.#ahead.size === 0) return [];
    return [...this.#ahead.keys()].filter(({ hello }) => (hello?.lastZxid ?? 0) <= zxid);
  }

  /** This node has seen what its client has: proposes the attach. Returns the connection that waited for the same session until now. */
  begin(
    connection: ClientConnection,
    verifier: Uint8Array,
    command: Uint8Array,
  ): ClientConnection | null {
    this.#greeting.delete(connection);
    this.#ahead.delete(connection);
    const key = keyOf(verifier);
    const earlier = this.#attaching.get(key)?.connection ?? null;
    if (earlier !== null) this.#keys.delete(earlier);
    this.#attaching.delete(key);
    const deadlineMs = this.#clock.nowMs() + ATTACH_TIMEOUT_MS;
    this.#attaching.set(key, { connection, command, deadlineMs });
    this.#keys.set(connection, key);
    this.#proposals.submitControl(key, command);
    return earlier;
  }

  /** Who waits for the session with this verifier. */
  waiting(verifier: Uint8Array): ClientConnection | null {
    return this.#attaching.get(keyOf(verifier))?.connection ?? null;
  }

  /** The connection waits no more: it was answered, or it is gone. */
  forget(connection: ClientConnection): void {
    this.#greeting.delete(connection);
    this.#ahead.delete(connection);
    const key = this.#keys.get(connection);
    if (key === undefined) return;
    this.#keys.delete(connection);
    this.#attaching.delete(key);
    this.#proposals.resolveControl(key);
  }

  /** Those who wait with such a command. */
  waitingWith(matches: (command: Uint8Array) => boolean): readonly ClientConnection[] {
    const found = [...this.#attaching.values()].filter(({ command }) => matches(command));
    return found.map(({ connection }) => connection);
  }

  /** Sends away whose time is up. */
  onTick(): void {
    const now = this.#clock.nowMs();
    for (const [connection, deadlineMs] of this.#greeting) {
      if (now < deadlineMs) break;
      reached("hello_did_not_come");
      connection.goodbye("NOT_READY", "no hello in time", false);
    }
    for (const [connection, deadlineMs] of this.#ahead) {
      if (now < deadlineMs) break;
      reached("client_had_seen_more_than_this_node");
      connection.goodbye("NOT_READY", "this server is behind what you have seen", false);
    }
    for (const { connection, deadlineMs } of this.#attaching.values()) {
      if (now < deadlineMs) break;
      reached("attach_undecided_in_time");
      connection.goodbye("NOT_READY", "no quorum decided in time: try another server", false);
    }
  }
}

function keyOf(verifier: Uint8Array): string {
  return `attach:${verifierKey(verifier)}`;
}
