import {
  parseServerConfig,
  ServerError,
  type FoundedEnsemble,
  type RecoveryTarget,
} from "@quorate/server";
import { CliError, usageError } from "./cli-error.ts";
import { EXIT_CODES } from "./exit-code.ts";

/** Reads `NAME=PEER,CLIENT`, as `quorate-server --member` does. Throws a usage error. */
export function readMember(text: string): NonNullable<RecoveryTarget["member"]> {
  try {
    const { members } = parseServerConfig({
      argv: ["--member", text],
      env: {},
      readFile: () => "",
    });
    const [member] = members;
    if (member !== undefined) return member;
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw usageError(error.text, "write NAME=PEER,CLIENT such as 1=127.0.0.1:7101,127.0.0.1:7001");
  }
  throw usageError(`${JSON.stringify(text)} names no member`);
}

/** What there is now, and how it goes on from here. */
export function formatFounded(
  { directory, name, clusterId, historyId, zxid, znodes, sessions, digest }: FoundedEnsemble,
  memberFlag: string,
): string {
  return (
    `${directory} is node ${name} of ensemble ${clusterId}, history ${historyId}: zxid ${zxid}, ` +
    `${znodes} znodes, ${sessions} sessions, digest ${digest}\n\n` +
    "start it:\n" +
    `  quorate-server --name ${name} --member ${memberFlag} --data-directory ${directory}\n` +
    "then let others join it, each on an empty data directory:\n" +
    `  quorate-server --name OTHER --join --member OTHER=PEER,CLIENT --member ${memberFlag}\n` +
    "  quorate member add OTHER\n"
  );
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
