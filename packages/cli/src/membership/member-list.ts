import { setTimeout as sleep } from "node:timers/promises";
import type { CliContext } from "../context.ts";
import { askOne, type AskOptions } from "../ensemble/ask-status.ts";
import { JsonFieldError, JsonFields } from "../json-fields.ts";

/** What one member is. `leaving`: it still votes, until the change that takes it out is through. */
export type MemberRole = "leader" | "voter" | "learner" | "leaving";

/** A member as the leader sees it. */
export interface ListedMember {
  readonly name: string;
  readonly role: MemberRole;
  readonly id: number;
  readonly peerAddress: string;
  readonly clientAddress: string;
  /** Committed entries that it does not have yet; 0 for the leader. */
  readonly behind: number;
  /** The leader hears of it. */
  readonly isActive: boolean;
  /** An image of the tree is on its way to it. */
  readonly isSentImage: boolean;
}

/** The members, and who would like to be one. */
export interface MemberList {
  readonly leader: string;
  /** In which it leads. */
  readonly term: number;
  readonly members: readonly ListedMember[];
  /** Nodes that ask to join and were not invited. */
  readonly joining: readonly string[];
  /** Names that were invited and did not come yet. */
  readonly invited: readonly string[];
}

/** How long the others are waited for once one has answered, ms: one that hangs keeps nobody from an answer that is there. */
const GRACE_MS = 500;

/**
 * The members as the leader sees them, which may be none of `servers` but must be known to one of them; null while none of
 * those that answer leads.
 */
export async function askMembers(
  context: CliContext,
  servers: readonly string[],
  timeoutMs: number,
): Promise<MemberList | null> {
  const end = new AbortController();
  const inquiry = new Inquiry(context, { timeoutMs, signal: end.signal });
  try {
    const named = inquiry.ask(servers);
    await Promise.race([named, inquiry.heard.then(() => grace(end.signal))]);
    if (inquiry.newestList !== null) return inquiry.newestList;
    const others = inquiry.ask(inquiry.clientAddresses);
    await Promise.race([Promise.all([named, others]), inquiry.led]);
    return inquiry.newestList;
  } finally {
    end.abort();
  }
}

async function grace(signal: AbortSignal): Promise<void> {
  try {
    await sleep(GRACE_MS, undefined, { signal });
  } catch {
    // The answer is there.
  }
}

/** What one server says of the members. */
interface Account {
  readonly clientAddresses: readonly string[];
  readonly term: number;
  /** Null: it does not lead. */
  readonly list: MemberList | null;
}

/** Servers that are asked at the same time, and what they have said so far. */
class Inquiry {
  readonly #context: CliContext;
  readonly #options: AskOptions;
  readonly #asked = new Set<string>();
  readonly #accounts: Account[] = [];
  /** Resolves with the first account. */
  readonly heard: Promise<void>;
  /** Resolves with the first account of one that leads. */
  readonly led: Promise<void>;
  #onHeard: () => void = () => undefined;
  #onLed: () => void = () => undefined;

  constructor(context: CliContext, options: AskOptions) {
    this.#context = context;
    this.#options = options;
    this.heard = new Promise((resolve) => {
      this.#onHeard = resolve;
    });
    this.led = new Promise((resolve) => {
      this.#onLed = resolve;
    });
  }

  /** Of the members that the accounts name. */
  get clientAddresses(): readonly string[] {
    return this.#accounts.flatMap(({ clientAddresses }) => clientAddresses);
  }

  get newestList(): MemberList | null {
    const leading = this.#accounts.filter(({ list }) => list !== null);
    return leading.sort((a, b) => b.term - a.term)[0]?.list ?? null;
  }

  /** Those that were not asked yet; resolves when each has answered, or will not. */
  async ask(servers: readonly string[]): Promise<void> {
    const unasked = new Set(servers.filter((server) => !this.#asked.has(server)));
    for (const server of unasked) this.#asked.add(server);
    await Promise.all([...unasked].map((server) => this.#askOne(server)));
  }

  async #askOne(server: string): Promise<void> {
    const { body } = await askOne(this.#context, server, this.#options);
    const account = accountIn(body);
    if (account === null) return;
    this.#accounts.push(account);
    this.#onHeard();
    if (account.list !== null) this.#onLed();
  }
}

/** Null: it does not answer, is not formed yet, or is no server. */
function accountIn(body: string): Account | null {
  try {
    return readAccount(JsonFields.parse(body));
  } catch (error) {
    if (error instanceof JsonFieldError) return null;
    throw error;
  }
}

function readAccount(status: JsonFields): Account {
  const members = status.fields("membership").list("members");
  return {
    clientAddresses: members.map((member) => member.text("clientAddress")),
    term: status.number("term"),
    list: status.text("role") === "leader" ? readList(status) : null,
  };
}

function readList(status: JsonFields): MemberList {
  const leader = status.text("name");
  const membership = status.fields("membership");
  const [voters, learners] = [membership.numbers("voters"), membership.numbers("learners")];
  const peers = new Map(status.list("peers").map((peer) => [peer.text("name"), peer]));
  const members = membership.list("members").map((member): ListedMember => {
    const [id, name] = [member.number("id"), member.text("name")];
    const peer = peers.get(name);
    let role: MemberRole = learners.includes(id) ? "learner" : "leaving";
    if (voters.includes(id)) role = name === leader ? "leader" : "voter";
    return {
      ...{ name, role, id },
      peerAddress: member.text("peerAddress"),
      clientAddress: member.text("clientAddress"),
      behind: peer?.number("behind") ?? 0,
      isActive: name === leader || peer?.flag("isActive") === true,
      isSentImage: peer?.text("state") === "snapshot",
    };
  });
  members.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    ...{ leader, members, term: status.number("term") },
    ...{ joining: status.texts("joining"), invited: status.texts("invited") },
  };
}
