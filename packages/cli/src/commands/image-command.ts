import { systemPorts, verifyImage, type ImageSummary } from "@quorate/server";
import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { counted } from "../format/counted.ts";
import { jsonLine } from "../format/json.ts";
import { HINT_FOR_DAMAGED_NODE, givenDirectory, storedDataError } from "../stored-data.ts";

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
  const { path } = await givenDirectory(context, directory);
  let summary: ImageSummary;
  try {
    summary = await verifyImage(systemPorts(), path);
  } catch (error) {
    throw storedDataError(error, "the image is damaged", HINT_FOR_DAMAGED_NODE);
  }
  context.out.write(flags.json === true ? jsonLine(summary) : summaryText(summary));
}

function summaryText(summary: ImageSummary): string {
  const { image, zxid, term, znodes, sessions, digest } = summary;
  return (
    `${image} stands at zxid ${zxid} (term ${term}): ${counted(znodes, "znode")}, ${counted(sessions, "session")}, ` +
    `digest ${digest}\nno damage\n`
  );
}
