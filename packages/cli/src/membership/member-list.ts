import type { CliContext } from "../context.ts";
import { JsonFieldError, JsonFields } from "../json-fields.ts";
import { askStatus } from "../ensemble/ask-status.ts";

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

/**
 * The members as the leader sees them, which may be none of `servers` but must be known to one of them; null while none of
 * those that answer leads.
 */
export async function askMembers(
  context: CliContext,
  servers: readonly string[],
  timeoutMs: number,
): Promise<MemberList | null> {
  const first = await accountsOf(context, servers, timeoutMs);
  const others = (): Promise<readonly Account[]> => askOthers(context, first, servers, timeoutMs);
  return newestList(first) ?? newestList(await others());
}

/** What one server says of the members. */
interface Account {
  readonly clientAddresses: readonly string[];
  readonly term: number;
  /** Null: it does not lead. */
  readonly list: MemberList | null;
}

/** Asks the members that `accounts` name and that were not asked yet. */
function askOthers(
  context: CliContext,
  accounts: readonly Account[],
  asked: readonly string[],
  timeoutMs: number,
): Promise<readonly Account[]> {
  const others = new Set(accounts.flatMap(({ clientAddresses }) => clientAddresses));
  for (const server of asked) others.delete(server);
  return accountsOf(context, [...others], timeoutMs);
}

async function accountsOf(
  context: CliContext,
  servers: readonly string[],
  timeoutMs: number,
): Promise<readonly Account[]> {
  const answers = await askStatus(context, servers, timeoutMs);
  return answers.flatMap(({ body }) => {
    try {
      return [readAccount(JsonFields.parse(body))];
    } catch (error) {
      // It does not answer, is not formed yet, or is no server.
      if (error instanceof JsonFieldError) return [];
      throw error;
    }
  });
}

function newestList(accounts: readonly Account[]): MemberList | null {
  const leading = accounts.filter(({ list }) => list !== null);
  return leading.sort((a, b) => b.term - a.term)[0]?.list ?? null;
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
