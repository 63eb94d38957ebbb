import { ServerError, type ServerErrorCode } from "../errors.ts";
import type { HttpResponse } from "../ports.ts";
import type { AdminSource } from "./admin-http.ts";

type CommandSource = Pick<AdminSource, "changeMembers" | "transferLeadership" | "leaderAddress">;

/** What went wrong is told as the status says it; the code is in the body. */
const STATUS_BY_CODE: Readonly<Partial<Record<ServerErrorCode, number>>> = {
  REQUEST_INVALID: 400,
  MEMBER_UNKNOWN: 404,
  MEMBER_EXISTS: 409,
  QUORUM_AT_RISK: 409,
  CHANGE_PENDING: 409,
  // "Misdirected request": the leader's address is in the body.
  NOT_LEADER: 421,
};

/** Paths that take commands. */
export function isCommandPath(path: string): boolean {
  return path === "/members" || path === "/leader";
}

/**
 * Carries a command out; body and answer are JSON.
 *
 * - `/members` takes a `MemberCommand`, with `dryRun: true` only to be told what it would do; answers `{ step, before, after }`.
 * - `/leader` takes `{ to }`, the name of a voter or null for any other; answers `{ leader }` once it has taken over.
 *
 * What fails is answered with `{ code, message, leader }`: 400 for what is no command, 404, 409, 421 by a node that does not
 * lead, 503 for the rest.
 */
export async function answerCommand(
  source: CommandSource,
  path: string,
  body: Uint8Array,
): Promise<HttpResponse> {
  try {
    return json(200, await carryOut(source, path, objectIn(body)));
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const status = STATUS_BY_CODE[error.code] ?? 503;
    return json(status, { code: error.code, message: error.text, leader: source.leaderAddress() });
  }
}

async function carryOut(
  source: CommandSource,
  path: string,
  fields: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  if (path === "/leader") return { leader: await source.transferLeadership(fields["to"] ?? null) };
  const { dryRun = false, ...command } = fields;
  if (typeof dryRun !== "boolean") throw invalid("dryRun is true or false");
  const { step, before, after } = source.changeMembers(command, dryRun);
  return { step: step.kind, before, after };
}

function objectIn(body: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw invalid("the body is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("the body is no JSON object");
  }
  return Object.fromEntries(Object.entries(value));
}

function invalid(text: string): ServerError {
  return new ServerError("REQUEST_INVALID", text);
}

function json(status: number, value: unknown): HttpResponse {
  return {
    status,
    contentType: "application/json; charset=utf-8",
    body: `${JSON.stringify(value, null, 2)}\n`,
  };
}
