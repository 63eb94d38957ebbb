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

/** Answers that are final, by their code: nothing would change by asking again. */
const FINAL = {
  REQUEST_INVALID: {
    exitCode: EXIT_CODES.failed,
    hint: "--help explains the command; run the one that came with the servers; where there are too many members, remove one first",
  },
  MEMBER_UNKNOWN: {
    exitCode: EXIT_CODES.notFound,
    hint: "`quorate member ls` shows the members, and `quorate member add` takes a new one in",
  },
  MEMBER_EXISTS: {
    exitCode: EXIT_CODES.conflict,
    hint: "`quorate member ls` shows the members: a new node needs a name of its own, and a learner comes to vote by `quorate member promote`",
  },
  QUORUM_AT_RISK: {
    exitCode: EXIT_CODES.conflict,
    hint: "`quorate member ls` shows who is heard of; `quorate member replace` puts a new node in the place of one that is lost",
  },
  TRANSFER_FAILED: {
    exitCode: EXIT_CODES.failed,
    hint: "`quorate member ls` shows who votes, and how far each is behind: another voter has to run and to have caught up",
  },
} as const satisfies Partial<
  Record<CliErrorCode, { readonly exitCode: ExitCode; readonly hint: string }>
>;

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
    const queue = await leaderFirst(context, question.servers, deadlineMs);
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

/** First whoever leads in the newest term, then the others that answer; one that hangs would take all the time there is. */
async function leaderFirst(
  context: CliContext,
  servers: readonly string[],
  deadlineMs: number,
): Promise<string[]> {
  if (servers.length < 2) return [...servers];
  const listenMs = Math.min(LISTEN_MS, leftUntil(deadlineMs));
  const answers = await askStatus(context, servers, listenMs);
  const rankOf = ({ status }: StatusAnswer): number => {
    if (status === null) return 2;
    return status.role === "leader" ? -status.term : 1;
  };
  return [...answers].sort((a, b) => rankOf(a) - rankOf(b)).map(({ server }) => server);
}

/** Time for one more attempt, ms, however late it is. */
function leftUntil(deadlineMs: number): number {
  return Math.ceil(Math.max(RETRY_MS, deadlineMs - performance.now()));
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
  const url = httpAddressOf(server) + path;
  try {
    const { status, body } = await context.postJson(url, value, leftUntil(deadlineMs));
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
  if (isFinal(code)) throw new CliError(code, message, FINAL[code]);
}

function isFinal(code: string): code is keyof typeof FINAL {
  return Object.hasOwn(FINAL, code);
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
