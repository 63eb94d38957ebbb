import { ServerError, systemPorts, verifyImage, type ImageSummary } from "@quorate/server";
import type { Command } from "commander";
import { resolve } from "node:path";
import { CliError, usageError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { jsonLine } from "../format/json.ts";

interface ImageFlags {
  readonly json?: boolean;
}

/** Adds `image verify`. */
export function addImageCommands(program: Command, context: CliContext): void {
  const image = program
    .command("image")
    .description("look into the tree's image on disk of a node that is stopped");
  image
    .command("verify <directory>")
    .description("read all of it and check every checksum, the counts and the digest")
    .option("--json", "print JSON, one value")
    .action((directory: string, flags: ImageFlags) => runVerify(context, directory, flags));
}

async function runVerify(context: CliContext, directory: string, flags: ImageFlags): Promise<void> {
  const given = resolve(context.workingDirectory, directory);
  let summary: ImageSummary;
  try {
    summary = await verifyImage(systemPorts(), given);
  } catch (error) {
    throw error instanceof ServerError ? explained(error) : error;
  }
  context.out.write(flags.json === true ? jsonLine(summary) : summaryText(summary));
}

function summaryText(summary: ImageSummary): string {
  const { image, zxid, term, znodes, sessions, digest } = summary;
  return (
    `${image} stands at zxid ${zxid} (term ${term}): ${znodes} znodes, ${sessions} sessions, ` +
    `digest ${digest}\nno damage\n`
  );
}

function explained(error: ServerError): CliError {
  switch (error.code) {
    case "STORAGE_LOCKED":
      return usageError(
        "the node is running",
        "stop it first: only a stopped node's image can be read",
      );
    case "IDENTITY_LOST":
      return usageError(error.message, "give a node's data directory, such as ./data/node-1");
    default:
      return new CliError("DAMAGED", `the image is damaged: ${error.message}`, {
        exitCode: EXIT_CODES.damaged,
        hint: "move the data directory away and start the node with --rejoin: it comes back as a new member; without peers, `quorate snapshot restore` begins anew with a backup",
      });
  }
}
