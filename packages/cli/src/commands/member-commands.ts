import { Option, type Command } from "commander";
import { CliError, usageError } from "../cli-error.ts";
import { addClientOptions, parseSeconds, type ClientFlags } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { jsonLine } from "../format/json.ts";
import { formatTable } from "../format/table.ts";
import { askLeader } from "../membership/ask-leader.ts";
import {
  formatChange,
  readChangeReport,
  warningsOf,
  type ChangeReport,
} from "../membership/change-report.ts";
import { askMembers, type ListedMember, type MemberList } from "../membership/member-list.ts";
import { waitForMembers, type MemberGoal } from "../membership/wait-for-members.ts";
import { checkNodeName } from "../node-name.ts";
import { resolveServers } from "../servers.ts";

interface ChangeFlags extends ClientFlags {
  readonly dryRun?: boolean;
  /** Seconds; false with --no-wait, true without either. */
  readonly wait: number | boolean;
}

interface AddFlags extends ChangeFlags {
  readonly learner?: boolean;
}

/** What is sent, and what it is to lead to. */
interface Change {
  /** Of the nodes that it is about. */
  readonly names: readonly string[];
  readonly command: Readonly<Record<string, string | boolean>>;
  /** `after`: what there will be, as the leader says. */
  outcome(after: ChangeReport["after"]): Outcome;
}

interface Outcome {
  readonly goal: MemberGoal;
  /** Said at the end. */
  readonly done: string;
}

/** Adds `member ls`, `add`, `promote`, `remove` and `replace`. */
export function addMemberCommands(program: Command, context: CliContext): void {
  const member = program
    .command("member")
    .description("see and change who belongs to the ensemble, while it serves");
  addClientOptions(
    member.command("ls").description("list the members, and who asks to be one"),
  ).action((flags: ClientFlags) => runList(context, flags));
  addChangeOptions(
    member
      .command("add <name>")
      .description("take a new node in; it votes once it has caught up")
      .option("--learner", "it stays a learner: it serves reads of its own and never votes"),
  )
    .addHelpText("after", JOIN_HELP)
    .action((name: string, flags: AddFlags) => runChange(context, flags, added(name, flags)));
  addChangeOptions(
    member.command("promote <name>").description("let a learner vote once it has caught up"),
  ).action((name: string, flags: ChangeFlags) => runChange(context, flags, promoted(name)));
  addChangeOptions(
    member
      .command("remove <name>")
      .description(
        "take a member out, though it be the leader; its server then ends (exit code 6)",
      ),
  ).action((name: string, flags: ChangeFlags) => runChange(context, flags, removed(name)));
  addChangeOptions(
    member
      .command("replace <name> <by>")
      .description(
        "take the new node BY in; once it has caught up it is in NAME's place, a voter or a learner as that one",
      ),
  )
    .addHelpText("after", JOIN_HELP)
    .action((name: string, by: string, flags: ChangeFlags) =>
      runChange(context, flags, replaced(name, by)),
    );
}

const JOIN_HELP = `
Start the new node before or after, with a data directory of its own that is empty:
  quorate-server --name NAME --join --data-directory FOLDER --member NAME=HOST:PORT,HOST:PORT --member …
where --member tells its own two addresses (for nodes, for clients) and those of members there are.
`;

function addChangeOptions(command: Command): Command {
  const waits = new Set<string>();
  for (const wait of ["wait", "no-wait"]) command.on(`option:${wait}`, () => void waits.add(wait));
  return addClientOptions(command)
    .option("--dry-run", "change nothing; show what the ensemble survives now and then")
    .addOption(
      new Option(
        "-w, --wait <seconds>",
        "wait no longer than this until it is done (exit code 124)",
      )
        .argParser(parseSeconds)
        .default(true, "as long as it takes"),
    )
    .option("--no-wait", "begin it and return")
    .hook("preAction", () => {
      if (waits.size > 1) {
        throw usageError("--wait and --no-wait contradict each other", "leave one of them out");
      }
    });
}

function added(name: string, { learner = false }: AddFlags): Change {
  return {
    names: [name],
    command: { kind: "add", name, staysLearner: learner },
    outcome: () => ({
      goal: { arrives: name, asLearner: learner, leaves: null },
      done: learner ? `${name} is a learner` : `${name} votes`,
    }),
  };
}

function promoted(name: string): Change {
  return {
    names: [name],
    command: { kind: "promote", name },
    outcome: () => ({
      goal: { arrives: name, asLearner: false, leaves: null },
      done: `${name} votes`,
    }),
  };
}

function removed(name: string): Change {
  return {
    names: [name],
    command: { kind: "remove", name },
    outcome: () => ({
      goal: { arrives: null, asLearner: false, leaves: name },
      done: `${name} is out`,
    }),
  };
}

function replaced(name: string, by: string): Change {
  return {
    names: [name, by],
    command: { kind: "replace", name, by },
    outcome: ({ learners }) => {
      // In the place of a learner.
      const asLearner = learners.includes(by);
      return {
        goal: { arrives: by, asLearner, leaves: name },
        done: `${by} ${asLearner ? "is a learner" : "votes"} in the place of ${name}`,
      };
    },
  };
}

async function runChange(context: CliContext, flags: ChangeFlags, change: Change): Promise<void> {
  for (const name of change.names) await checkNodeName(name);
  const servers = resolveServers(flags.servers, context.env);
  const timeoutMs = flags.timeout * 1000;
  const isTrial = flags.dryRun === true;
  const send = async (dryRun: boolean): Promise<unknown> => {
    const value = { ...change.command, dryRun };
    return askLeader(context, { servers, path: "/members", value, timeoutMs });
  };
  const report = readChangeReport(await send(isTrial));
  for (const warning of warningsOf(report)) context.err.write(`warning: ${warning}\n`);
  const { goal, done } = change.outcome(report.after);
  const settled = settledText(report, change, done, isTrial);
  if (isTrial || flags.wait === false) {
    const text = isTrial ? trialText(report, settled) : begunText(settled);
    context.out.write(flags.json === true ? jsonLine({ ...report, dryRun: isTrial }) : text);
    return;
  }
  const list = await waitForMembers(context, goal, {
    servers,
    patienceMs: typeof flags.wait === "number" ? flags.wait * 1000 : Infinity,
    inviteAgain: () => inviteAgain(send),
  });
  if (flags.json === true) context.out.write(jsonLine({ ...report, members: list.members }));
  else context.out.write(`${settled ?? done}; ${survives(list)}\n`);
}

/** What is done with no waiting, in words; null: the change goes on. */
function settledText(
  { step }: ChangeReport,
  { names }: Change,
  done: string,
  isTrial: boolean,
): string | null {
  if (step === "withdraw") {
    return `the invitation of ${names.join()} ${isTrial ? "would be" : "is"} withdrawn`;
  }
  return step === "nothing" ? `${done} already` : null;
}

function trialText(report: ChangeReport, settled: string | null): string {
  return `${formatChange(report)}${settled === null ? "" : `${settled}; `}nothing was changed\n`;
}

function begunText(settled: string | null): string {
  return settled === null ? "begun; `quorate member ls` shows how far it is\n" : `${settled}\n`;
}

/** Whoever came meanwhile is a member already. */
async function inviteAgain(send: (dryRun: boolean) => Promise<unknown>): Promise<void> {
  try {
    await send(false);
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== "MEMBER_EXISTS") throw error;
  }
}

function survives({ members }: MemberList): string {
  const voters = members.filter(({ role }) => role === "voter" || role === "leader").length;
  const tolerated = Math.ceil(voters / 2) - 1;
  return `${voters} ${voters === 1 ? "voter" : "voters"}, of which ${tolerated} may fail`;
}

async function runList(context: CliContext, flags: ClientFlags): Promise<void> {
  const servers = resolveServers(flags.servers, context.env);
  const list = await askMembers(context, servers, flags.timeout * 1000);
  if (list === null) {
    throw new CliError("NO_LEADER", "none of the servers answers as the leader", {
      exitCode: EXIT_CODES.unavailable,
      hint: "`quorate status` shows what each says; --servers or QUORATE_SERVERS name them, the leader among them",
    });
  }
  const { members, joining, invited } = list;
  if (flags.json === true) {
    context.out.write(jsonLine(list));
    return;
  }
  const waiting = [
    ...joining.map((name) => [name, "asks to join", "-", "-", "-", "-"]),
    ...invited.map((name) => [name, "invited", "-", "-", "-", "-"]),
  ];
  const head = ["name", "role", "id", "peers", "clients", "behind"];
  context.out.write(formatTable(head, [...members.map(asRow), ...waiting]));
  context.err.write(joining.map((name) => `${ADVICE} ${name}\n`).join(""));
}

const ADVICE = "a node asks to join; take it in with: quorate member add";

function asRow(member: ListedMember): readonly (string | number)[] {
  const { name, role, id, peerAddress, clientAddress, behind, isActive, isSentImage } = member;
  let progress: string | number = behind;
  if (!isActive) progress = "not heard of";
  else if (isSentImage) progress = "is sent the tree";
  return [name, role, id, peerAddress, clientAddress, progress];
}
