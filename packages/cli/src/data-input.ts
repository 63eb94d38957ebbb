import type { Command } from "commander";
import { usageError } from "./cli-error.ts";
import type { CliContext } from "./context.ts";

/** Where a command's data come from. */
export interface DataFlags {
  readonly file?: string;
  readonly base64?: boolean;
}

/** Adds `--file` and `--base64`. */
export function addDataOptions(command: Command): Command {
  return command
    .option("-f, --file <file>", "take the data from a file")
    .option("--base64", "the data argument is base64");
}

/** The data meant: argument, file, or all of standard input for `-`. No argument and no file: `absent`. */
export async function readData(
  context: CliContext,
  argument: string | undefined,
  flags: DataFlags,
  absent: Uint8Array | null,
): Promise<Uint8Array> {
  if (flags.file !== undefined) {
    if (argument !== undefined) {
      throw usageError("give the data or --file, not both", "leave one of them out");
    }
    return readFile(context, flags.file);
  }
  if (argument === undefined) {
    if (absent !== null) return absent;
    throw usageError(
      "the data are missing",
      "give them as an argument, with --file, or - for standard input",
    );
  }
  if (flags.base64 === true) return decodeBase64(argument);
  return argument === "-" ? context.readInput() : new TextEncoder().encode(argument);
}

async function readFile(context: CliContext, file: string): Promise<Uint8Array> {
  try {
    return await context.readFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(
      `--file: ${reason}`,
      "name a file that can be read, or - in the place of DATA",
    );
  }
}

function decodeBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  // Node skips what is not base64; what does not come back the same was not meant.
  if (bytes.toString("base64").replace(/=+$/, "") !== text.replace(/=+$/, "")) {
    throw usageError(
      `${JSON.stringify(text)} is not base64`,
      "without --base64 the argument is taken as it is; `base64 FILE` makes base64 of a file",
    );
  }
  return bytes;
}
