import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import type { ImageFlags } from "../stored/verify-image.ts";

/** Adds `image verify`. */
export function addImageCommands(program: Command, context: CliContext): void {
  const image = program
    .command("image")
    .description("look into the tree's image on disk of a node that is stopped");
  image
    .command("verify <directory>")
    .description("read all of it and check every checksum, the counts and the digest")
    .option("--json", "print JSON, one value")
    .action(async (directory: string, flags: ImageFlags) => {
      const { verifyStoredImage } = await import("../stored/verify-image.ts");
      await verifyStoredImage(context, directory, flags);
    });
}
