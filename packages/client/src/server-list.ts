import { reached } from "./points.ts";
import type { ClientRandom } from "./ports.ts";

/** Addresses kept at most, given and learned together. */
const SERVERS_MAX = 64;

interface Entry {
  /** As the dialer gets it. */
  readonly server: string;
  /** The same for two spellings of one address. */
  readonly key: string;
  /** By the application; what the service told goes when it tells something else. */
  readonly isGiven: boolean;
  failed: boolean;
}

/** An address in parts, or null if it is none. Secure means `wss`. */
export function parseServer(
  text: string,
): { readonly secure: boolean | null; readonly hostPort: string } | null {
  const match = /^(?:(wss?):\/\/)?((?:\[[0-9a-fA-F:.]+\]|[^\s/?#@:[\]]+):(\d{1,5}))\/?$/.exec(text);
  if (match === null) return null;
  const [, scheme, hostPort, port] = match;
  const portNumber = Number(port);
  if (hostPort === undefined || portNumber < 1 || portNumber > 65_535) return null;
  return { secure: scheme === undefined ? null : scheme === "wss", hostPort };
}

/**
 * Whom to dial next: in rounds, each in a new random order, those that failed last time at the end. What the service
 * last told of its members is added to what the application gave, which stays: names of its own may lead to any member.
 */
export class ServerList {
  readonly #random: ClientRandom;
  /** The application asked for TLS everywhere: an address learned later is not dialled without. */
  readonly #secureOnly: boolean;
  #entries: Entry[] = [];
  #round: Entry[] = [];

  /** `servers` must all parse. */
  constructor(servers: readonly string[], random: ClientRandom) {
    this.#random = random;
    this.#secureOnly = servers.every((server) => parseServer(server)?.secure === true);
    for (const server of servers) this.#add(server, true);
  }

  get count(): number {
    return this.#entries.length;
  }

  /** The service names its members; what is no address is ignored, members of before are forgotten. */
  learn(servers: readonly string[]): void {
    const named = new Set(servers.map((server) => parseServer(server)?.hostPort.toLowerCase()));
    if (this.#entries.some(({ isGiven, key }) => !isGiven && !named.has(key)))
      reached("learned_members_forgotten");
    this.#entries = this.#entries.filter(({ isGiven, key }) => isGiven || named.has(key));
    for (const server of servers) this.#add(server, false);
  }

  /** Starts a round; `last`, the server just lost, comes at its end. */
  startRound(last: string | null): void {
    const order = [...this.#entries];
    for (let i = order.length - 1; i > 0; i -= 1) {
      const j = Math.floor(this.#random.fraction() * (i + 1));
      const [a, b] = [order[i], order[j]];
      if (a === undefined || b === undefined) continue;
      order[i] = b;
      order[j] = a;
    }
    const rank = (entry: Entry): number => (entry.server === last ? 2 : entry.failed ? 1 : 0);
    this.#round = order.sort((a, b) => rank(a) - rank(b));
  }

  /** The next server of the round, null at its end. */
  next(): string | null {
    return this.#round.shift()?.server ?? null;
  }

  /** How the last attempt at `server` went. */
  note(server: string, failed: boolean): void {
    const entry = this.#entries.find((candidate) => candidate.server === server);
    if (entry !== undefined) entry.failed = failed;
  }

  #add(server: string, isGiven: boolean): void {
    const parsed = parseServer(server);
    if (parsed === null || this.#entries.length >= SERVERS_MAX) return;
    if (this.#secureOnly && parsed.secure === false) return;
    const key = parsed.hostPort.toLowerCase();
    if (this.#entries.some((entry) => entry.key === key)) return;
    const prefix = this.#secureOnly && parsed.secure === null ? "wss://" : "";
    this.#entries.push({ server: prefix + server, key, isGiven, failed: false });
  }
}
