import type { Hello, ServerMessage } from "@quorate/kv-store/protocol";
import { Backoff } from "./backoff.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import type { Goodbye } from "./goodbye.ts";
import { reached } from "./points.ts";
import type { ClientPorts, Timer } from "./ports.ts";
import type { ServerList } from "./server-list.ts";

export type Welcome = Extract<ServerMessage, { readonly kind: "welcome" }>;

export interface ConnectorEvents {
  hello(): Hello;
  /** A server took the session in; `rest` came with its welcome. The connector stops looking. */
  onWelcome(connection: Connection, welcome: Welcome, rest: readonly ServerMessage[]): void;
  /** `server` turned the client away. False: stop looking. */
  onTurnedAway(server: string, goodbye: Goodbye): boolean;
  /** An attempt failed; null: in another way than that the server turned the client away. */
  onFailure(server: string, reason: string, goodbye: Goodbye | null): void;
}

/** Longest a single dial may take while there may be other servers, ms. */
const DIAL_TIMEOUT_MAX_MS = 1_000;
/** Doublings of the time allowed for a welcome: a busy ensemble answers late, asking it again would not help it. */
const WELCOME_DOUBLINGS_MAX = 2;
/** Pauses between rounds through all servers; the session is alive meanwhile, so they stay short. */
const ROUND_BACKOFF = { firstMs: 50, capMs: 1_000 };

/**
 * Finds a server that takes the session: one attempt at a time, the whole list at once the first time, then with
 * pauses that grow.
 */
export class Connector implements ConnectionEvents {
  readonly #servers: ServerList;
  readonly #ports: ClientPorts;
  readonly #events: ConnectorEvents;
  readonly #backoff: Backoff;
  #timeoutMs: number;
  #rounds = 0;
  #attempt: Connection | null = null;
  #pause: Timer | null = null;
  #isLooking = false;

  /** `timeoutMs` is what the session asks for; `pace` tells what it was granted. */
  constructor(servers: ServerList, timeoutMs: number, ports: ClientPorts, events: ConnectorEvents) {
    this.#servers = servers;
    this.#timeoutMs = timeoutMs;
    this.#ports = ports;
    this.#events = events;
    this.#backoff = new Backoff(ROUND_BACKOFF, ports.random);
  }

  /** Looks for a server, for `lost`, the one just lost, at the end of the round. */
  start(lost: string | null): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#servers.startRound(lost);
    // A connection that never proved anything counts as a failed round: two servers must not be asked in turn for ever.
    if (this.#rounds > 0) {
      reached("connection_lost_before_it_proved_good");
      this.#nextRound();
    } else {
      this.#next();
    }
  }

  /** From now on the session's timeout is this, ms: what a server has of it to answer goes by that. */
  pace(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs;
  }

  /** A connection has proved good. */
  settle(): void {
    this.#rounds = 0;
    this.#backoff.reset();
  }

  stop(): void {
    this.#isLooking = false;
    this.#pause?.cancel();
    this.#pause = null;
    this.#attempt?.close();
    this.#attempt = null;
  }

  onMessages(connection: Connection, messages: readonly ServerMessage[]): void {
    if (connection !== this.#attempt) return;
    const [first, ...rest] = messages;
    if (first === undefined) return;
    if (first.kind === "welcome") {
      this.#attempt = null;
      this.#isLooking = false;
      this.#rounds += 1;
      this.#servers.note(connection.server, false);
      if (rest.length > 0) reached("messages_came_with_the_welcome");
      this.#events.onWelcome(connection, first, rest);
      return;
    }
    connection.close();
    if (first.kind !== "goodbye") {
      this.onEnd(connection, `"${first.kind}" instead of a welcome`);
    } else if (this.#events.onTurnedAway(connection.server, first)) {
      this.#fail(connection, `${first.code}: ${first.message}`, first);
    } else {
      this.stop();
    }
  }

  onEnd(connection: Connection, reason: string): void {
    this.#fail(connection, reason, null);
  }

  #fail(connection: Connection, reason: string, goodbye: Goodbye | null): void {
    if (connection !== this.#attempt) return;
    this.#attempt = null;
    this.#servers.note(connection.server, true);
    this.#events.onFailure(connection.server, reason, goodbye);
    if (this.#isLooking) this.#next();
  }

  #next(): void {
    const server = this.#servers.next();
    if (server === null) {
      reached("all_servers_failed_in_a_round");
      this.#rounds += 1;
      this.#servers.startRound(null);
      this.#nextRound();
      return;
    }
    const dialTimeoutMs = Math.min(DIAL_TIMEOUT_MAX_MS, this.#timeoutMs / 4);
    const doublings = Math.min(this.#rounds, WELCOME_DOUBLINGS_MAX);
    const welcomeTimeoutMs = Math.min(dialTimeoutMs * 2 ** doublings, this.#timeoutMs / 2);
    const hello = (): Hello => this.#events.hello();
    const options = { server, hello, dialTimeoutMs, welcomeTimeoutMs };
    this.#attempt = new Connection(options, this.#ports, this);
    this.#attempt.start();
  }

  #nextRound(): void {
    this.#pause = this.#ports.clock.after(this.#backoff.next(), () => {
      this.#pause = null;
      this.#next();
    });
  }
}
