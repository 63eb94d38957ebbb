import type { ServerConfig } from "../config.ts";
import { isDamage, ServerError } from "../errors.ts";
import { isRepairable } from "./set-aside.ts";

/**
 * What ends a node that does not make its damage good by itself, with what an operator may do about it. Any other error stays
 * as it is, and so does damage that the next start makes good.
 */
export function withDamageAdvice(error: unknown, config: ServerConfig): unknown {
  if (!(error instanceof ServerError) || isRepairable(error, config)) return error;
  const { code } = error;
  if (code !== "IDENTITY_LOST" && !isDamage(error)) return error;
  const advice = config.members.length > 1 ? REJOIN : anew(config.dataDirectory);
  return new ServerError(code, `${error.text}. ${advice}`, error);
}

const REJOIN =
  "Nothing was changed. This node may not vote with what is left: move its data directory away " +
  "and start it with --rejoin, so that it comes back as a new member. Where the others have lost their data as well, " +
  "`quorate recover` begins anew with what one of them has";

/** There is nobody to be taken in by. */
function anew(directory: string): string {
  return (
    "Nothing was changed. The configuration names no peers that this node could learn from: " +
    `\`quorate recover ${directory} --to FOLDER --member NAME=PEER,CLIENT --incomplete\` begins anew with what is left, ` +
    "`quorate snapshot restore` with a backup"
  );
}
