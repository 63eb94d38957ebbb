import { restoreBackup, systemPorts } from "@quorate/server";
import { resolve } from "node:path";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../format/json.ts";
import { npmRunner } from "../npm-runner.ts";
import { readBackupFile } from "./backup-file.ts";
import { formatFounded, foundingIn, readFounder } from "./founded-ensemble.ts";

/** Options of `snapshot restore`. */
export interface RestoreFlags {
  readonly to: string;
  readonly member: string;
  readonly json?: boolean;
}

/** Begins a new ensemble of one node with what a backup holds. */
export async function restore(
  context: CliContext,
  file: string,
  flags: RestoreFlags,
): Promise<void> {
  const founder = readFounder(flags.member);
  const path = resolve(context.workingDirectory, file);
  const directory = resolve(context.workingDirectory, flags.to);
  const founded = await foundingIn(directory, () => {
    const backup = readBackupFile(path, context.err, "restoring");
    return restoreBackup(systemPorts(), backup, { directory, member: founder.member });
  });
  const runner = npmRunner(context.env);
  context.out.write(
    flags.json === true ? jsonLine(founded) : formatFounded(founded, founder, runner),
  );
}
