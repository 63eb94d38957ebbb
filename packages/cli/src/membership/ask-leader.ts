import { setTimeout as sleep } from "node:timers/promises";
import { CliError, type CliErrorCode } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { askStatus, type StatusAnswer } from "../ensemble/ask-status.ts";
import { EXIT_CODES, type ExitCode } from "../exit-code.ts";
import { JsonFields } from "../json-fields.ts";
import { httpAddressOf } from "../servers.ts";

/** Where a command goes, and how long it is tried, ms. */
export interface LeaderQuestion {
  readonly servers: readonly string[];
  readonly path: "/members" | "/leader";
  readonly value: unknown;
  readonly timeoutMs: number;
}

const RETRY_MS = 200;
/** How long servers are listened to before one of them is given the command, ms. */
const LISTEN_MS = 500;

interface FinalAnswer {
  readonly code: CliErrorCode;
  readonly exitCode: ExitCode;
  readonly hint: string;
}

/** Answers that are final: nothing would change by asking again. */
const FINAL: ReadonlyMap<string, FinalAnswer> = new Map(
  (
    [
      {
        code: "REQUEST_INVALID",
        exitCode: EXIT_CODES.failed,
        hint: "--help explains the command; run the one that came with the servers; where there are too many members, remove one first",
      },
      {
        code: "MEMBER_UNKNOWN",
        exitCode: EXIT_CODES.notFound,
        hint: "`quorate member ls` shows the members, and `quorate member add` takes a new one in",
      },
      {
        code: "MEMBER_EXISTS",
        exitCode: EXIT_CODES.conflict,
        hint: "`quorate member ls` shows the members: a new node needs a name of its own, and a learner comes to vote by `quorate member promote`",
      },
      {
        code: "QUORUM_AT_RISK",
        exitCode: EXIT_CODES.conflict,
        hint: "`quorate member ls` shows who is heard of; `quorate member replace` puts a new node in the place of one that is lost",
      },
      {
        code: "TRANSFER_FAILED",
        exitCode: EXIT_CODES.failed,
        hint: "`quorate member ls` shows who votes, and how far each is behind: another voter has to run and to have caught up",
      },
    ] as const
  ).map((answer) => [answer.code, answer]),
);

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly leader: string | null;
}

/**
 * Has the leader carry a command out, whichever of the servers it is, and returns what it answers. While there is no
 * leader, or another change is under way, it is asked again until the time is over.
 */
export async function askLeader(context: CliContext, question: LeaderQuestion): Promise<unknown> {
  const deadlineMs = performance.now() + question.timeoutMs;
  for (;;) {
    const reasons: string[] = [];
    const asked = new Set<string>();
    const queue = await byReadiness(context, question.servers, deadlineMs);
    for (let server = queue.shift(); server !== undefined; server = queue.shift()) {
      if (asked.has(server)) continue;
      asked.add(server);
      const answer = await post(context, server, question, deadlineMs);
      if (answer.kind === "done") return answer.value;
      const { code, message, leader } = answer.refusal;
      refuseIfFinal(code, message);
      reasons.push(`${server}: ${message}`);
      if (leader !== null) queue.unshift(leader);
    }
    if (performance.now() + RETRY_MS > deadlineMs) throw noLeader(reasons);
    await sleep(RETRY_MS);
  }
}

/** Those that answer first, of them whoever leads in the newest term; one that hangs would take all the time there is. */
async function byReadiness(
  context: CliContext,
  servers: readonly string[],
  deadlineMs: number,
): Promise<string[]> {
  if (servers.length < 2) return [...servers];
  const leftMs = Math.ceil(Math.max(RETRY_MS, deadlineMs - performance.now()));
  const answers = await askStatus(context, servers, Math.min(LISTEN_MS, leftMs));
  const rankOf = ({ status }: StatusAnswer): number => {
    if (status === null) return Infinity;
    return status.role === "leader" ? -status.term : 1;
  };
  const ranked = answers.map((answer) => ({ server: answer.server, rank: rankOf(answer) }));
  // Not by their difference, which of two infinities is none.
  ranked.sort((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank));
  return ranked.map(({ server }) => server);
}

type Answer =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "refused"; readonly refusal: Refusal };

async function post(
  context: CliContext,
  server: string,
  { path, value }: LeaderQuestion,
  deadlineMs: number,
): Promise<Answer> {
  const leftMs = Math.ceil(Math.max(RETRY_MS, deadlineMs - performance.now()));
  try {
    const { status, body } = await context.postJson(httpAddressOf(server) + path, value, leftMs);
    if (status === 200) return { kind: "done", value: JSON.parse(body) };
    return { kind: "refused", refusal: refusalIn(body) };
  } catch (error) {
    return { kind: "refused", refusal: { code: "", message: textOf(error), leader: null } };
  }
}

function refusalIn(body: string): Refusal {
  const fields = JsonFields.parse(body);
  const [code, message] = [fields.text("code"), fields.text("message")];
  return { code, message, leader: fields.optionalText("leader") };
}

function refuseIfFinal(code: string, message: string): void {
  const known = FINAL.get(code);
  if (known === undefined) return;
  const { exitCode, hint } = known;
  throw new CliError(known.code, message, { exitCode, hint });
}

function noLeader(reasons: readonly string[]): CliError {
  return new CliError("NO_LEADER", `no leader took the command (${reasons.join("; ")})`, {
    exitCode: EXIT_CODES.unavailable,
    hint: "look at `quorate status`: more than half of the voters must run and reach one another; --servers or QUORATE_SERVERS name their client ports",
  });
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "no answer in time";
  return error.message;
}
