import {
  parseServerConfig,
  ServerError,
  type FoundedEnsemble,
  type RecoveryTarget,
} from "@quorate/server";
import { CliError, usageError } from "./cli-error.ts";
import { EXIT_CODES } from "./exit-code.ts";

type FoundingMember = NonNullable<RecoveryTarget["member"]>;

/** The one member that a new ensemble begins with. */
export interface Founder {
  readonly member: FoundingMember;
  /** As the command line named it. */
  readonly flag: string;
  /** Other machines reach its addresses, which a server takes with `--insecure` alone. */
  readonly isExposed: boolean;
}

/**
 * Reads `NAME=PEER,CLIENT`, as `quorate-server --member` does. Addresses that other machines reach are taken: nothing listens
 * on them yet. Throws a usage error.
 */
export function readFounder(flag: string): Founder {
  try {
    const [member] = membersIn(flag, "--insecure");
    if (member !== undefined) return { member, flag, isExposed: isExposed(flag) };
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw usageError(error.text, "write NAME=PEER,CLIENT such as 1=127.0.0.1:7101,127.0.0.1:7001");
  }
  throw usageError(`${JSON.stringify(flag)} names no member`);
}

function membersIn(flag: string, ...others: readonly string[]): readonly FoundingMember[] {
  const argv = ["--member", flag, ...others];
  return parseServerConfig({ argv, env: {}, readFile: () => "" }).members;
}

function isExposed(flag: string): boolean {
  try {
    membersIn(flag);
    return false;
  } catch (error) {
    if (error instanceof ServerError && error.code === "INSECURE_ADDRESS") return true;
    throw error;
  }
}

/** What there is now, and how it goes on from here. */
export function formatFounded(
  founded: Omit<FoundedEnsemble, "nodeId">,
  { member, flag, isExposed }: Founder,
): string {
  const { directory, name, clusterId, historyId, zxid, digest } = founded;
  const insecure = isExposed ? " --insecure" : "";
  return (
    `${directory} is node ${name} of ensemble ${clusterId}, history ${historyId}: zxid ${zxid}, ` +
    `${founded.znodes} znodes, ${founded.sessions} sessions, digest ${digest}\n\n` +
    "start it:\n" +
    `  quorate-server --name ${name} --member ${flag} --data-directory ${shellWord(directory)}${insecure}\n` +
    "then let others join it, each on an empty data directory:\n" +
    `  quorate-server --name OTHER --join --member OTHER=PEER,CLIENT --member ${flag}${insecure}\n` +
    `  quorate member add OTHER --servers ${member.clientAddress}\n`
  );
}

/** As a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w./:=,@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Why nothing was founded, and what to do about it. */
export function foundingError(error: unknown): unknown {
  if (!(error instanceof ServerError)) return error;
  switch (error.code) {
    case "DIRECTORY_IN_USE":
      return usageError(error.text, "name a folder that does not exist yet");
    case "IDENTITY_LOST":
      return usageError(error.text, "give a node's data directory, such as ./data/node-1");
    case "STORAGE_LOCKED":
      return usageError("the node is running", "stop it first");
    case "BACKUP_DAMAGED":
    case "FORMAT_UNKNOWN":
    case "IMAGE_CORRUPT":
    case "LOG_CORRUPT":
      return new CliError("DAMAGED", error.text, {
        exitCode: EXIT_CODES.damaged,
        hint: "take another backup, or another node's data directory",
      });
    default:
      return error;
  }
}
