import { systemPorts, verifyImage, type ImageSummary } from "@quorate/server";
import type { CliContext } from "../context.ts";
import { counted } from "../format/counted.ts";
import { jsonLine } from "../format/json.ts";
import { HINT_FOR_DAMAGED_NODE, givenDirectory, storedDataError } from "./stored-data.ts";

/** Options of `image`. */
export interface ImageFlags {
  readonly json?: boolean;
}

/** Reads all of a stopped node's image, and fails where it is damaged. */
export async function verifyStoredImage(
  context: CliContext,
  directory: string,
  flags: ImageFlags,
): Promise<void> {
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
