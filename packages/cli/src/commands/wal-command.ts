import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import type { WalFlags } from "../stored/wal.ts";

/** Adds `wal dump` and `wal verify`. */
export function addWalCommands(program: Command, context: CliContext): void {
  const wal = program
    .command("wal")
    .description("look into the write-ahead log of a node that is stopped");
  wal
    .command("dump <directory>")
    .description("print every record; DIRECTORY is the node's data directory or its log folder")
    .option("--json", "print JSON, one record a line")
    .action(async (directory: string, flags: WalFlags) => {
      const { dumpLog } = await import("../stored/wal.ts");
      await dumpLog(context, directory, flags);
    });
  wal
    .command("verify <directory>")
    .description("read all of the log and check every checksum and the chain over all records")
    .option("--json", "print JSON, one value")
    .action(async (directory: string, flags: WalFlags) => {
      const { verifyLog } = await import("../stored/wal.ts");
      await verifyLog(context, directory, flags);
    });
}
