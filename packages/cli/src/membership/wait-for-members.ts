import { setTimeout as sleep } from "node:timers/promises";
import { CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { counted } from "../format/counted.ts";
import { StatusLine } from "../format/status-line.ts";
import { InvitationWatch } from "./invitation-watch.ts";
import { askMembers, type MemberList } from "./member-list.ts";

/** What is waited for. */
export interface MemberGoal {
  /** Who has to vote, or with `asLearner` to be a learner; null: nobody in particular. */
  readonly arrives: string | null;
  readonly asLearner: boolean;
  /** Who has to be gone; null: nobody. */
  readonly leaves: string | null;
}

/** How it is waited. */
export interface MemberWait {
  readonly servers: readonly string[];
  /** ms; Infinity: for as long as it takes. */
  readonly patienceMs: number;
  /** Called when `arrives` is neither a member nor invited: the leader that invited it leads no more. */
  inviteAgain(): Promise<void>;
}

const POLL_MS = 250;
const STATUS_TIMEOUT_MS = 2_000;

/**
 * Waits until the membership is as wanted and shows what happens meanwhile. Resolves with the list as it is then. Rejects
 * with TIMEOUT, with MEMBER_UNKNOWN when somebody else took it back, and with ABORTED on a signal; what was begun goes on by itself, but for an invitation when another server leads.
 */
export async function waitForMembers(
  context: CliContext,
  goal: MemberGoal,
  wait: MemberWait,
): Promise<MemberList> {
  using line = new StatusLine(context.err);
  const servers = new Set(wait.servers);
  let isInterrupted = false;
  using _signals = context.onSignal(() => {
    isInterrupted = true;
  });
  const deadlineMs = performance.now() + wait.patienceMs;
  const invitation = goal.arrives === null ? null : new InvitationWatch(goal.arrives);
  for (;;) {
    const list = await askMembers(context, [...servers], STATUS_TIMEOUT_MS);
    if (list !== null) {
      for (const { clientAddress } of list.members) servers.add(clientAddress);
      if (isReached(goal, list)) return list;
      const state = invitation?.look(list, performance.now());
      if (state === "lost") await wait.inviteAgain();
      if (state === "withdrawn") throw withdrawn(goal.arrives ?? "");
      if (state === "takenOut") throw takenOut(goal.arrives ?? "");
    }
    line.tell(describe(goal, list));
    if (isInterrupted) throw interrupted(prospect(goal, list));
    if (performance.now() > deadlineMs) throw tooLate(prospect(goal, list));
    await sleep(POLL_MS);
  }
}

function isReached({ arrives, asLearner, leaves }: MemberGoal, { members }: MemberList): boolean {
  if (members.some(({ name, role }) => name === leaves || role === "leaving")) return false;
  if (arrives === null) return true;
  const role = members.find(({ name }) => name === arrives)?.role;
  return asLearner ? role === "learner" : role === "voter" || role === "leader";
}

function describe({ arrives, leaves }: MemberGoal, list: MemberList | null): string {
  if (list === null) return "no leader answers now";
  const member = list.members.find(({ name }) => name === arrives);
  if (arrives !== null && member === undefined) return `waiting for ${arrives} to come`;
  if (member !== undefined && member.role === "learner") {
    if (!member.isActive) return `${member.name} is a learner, and is not heard of`;
    if (member.isSentImage) return `${member.name} is sent the tree`;
    return `${member.name} is a learner, ${counted(member.behind, "entry", "entries")} behind`;
  }
  return leaves === null ? "the change is under way" : `${leaves} is leaving`;
}

/** What becomes of it when nobody waits any more. */
function prospect({ arrives }: MemberGoal, list: MemberList | null): string {
  if (arrives === null || list?.members.some(({ name }) => name === arrives) === true) {
    return "what was begun goes on";
  }
  const isInvited = list?.invited.includes(arrives) === true || list?.joining.includes(arrives);
  return isInvited === true
    ? `${arrives} stays invited for ten minutes, and no longer than the same server leads`
    : `${arrives} is no member, and may not be invited any more`;
}

function withdrawn(name: string): CliError {
  return new CliError(
    "MEMBER_UNKNOWN",
    `the invitation of ${name} was withdrawn meanwhile, as by \`quorate member remove ${name}\`: it is no member`,
    {
      exitCode: EXIT_CODES.notFound,
      hint: "if it is wanted after all, give the command again; if not, stop its node, which waits to be taken in",
    },
  );
}

function takenOut(name: string): CliError {
  return new CliError(
    "MEMBER_UNKNOWN",
    `${name} was taken out again meanwhile, as by \`quorate member remove ${name}\`; its node ends`,
    {
      exitCode: EXIT_CODES.notFound,
      hint: "`quorate member ls` shows who is there; if it is wanted after all, start it with --join on an empty data directory and give the command again",
    },
  );
}

function interrupted(prospects: string): CliError {
  return new CliError("ABORTED", `interrupted; ${prospects}`, {
    exitCode: EXIT_CODES.interrupted,
    hint: "`quorate member ls` shows how far it is",
  });
}

function tooLate(prospects: string): CliError {
  return new CliError("TIMEOUT", `it is not done yet; ${prospects}`, {
    exitCode: EXIT_CODES.timedOut,
    hint: "`quorate member ls` shows how far it is",
  });
}
