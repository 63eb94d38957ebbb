import type { Command } from "commander";
import { parsePositive } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import type { ReplayFlags } from "../stored/replay-trace.ts";

/** Adds `trace replay`. */
export function addTraceCommands(program: Command, context: CliContext): void {
  const trace = program
    .command("trace")
    .description("look into what a node recorded of its Raft core (`quorate-server --trace FILE`)");
  trace
    .command("replay <file>")
    .description(
      "step what was recorded into a new core, print the events, and check that it does the same again",
    )
    .option("--from <number>", "the first input whose events are printed", parsePositive)
    .option("--to <number>", "the last input that is replayed", parsePositive)
    .option("--only <kinds>", "print these kinds of events alone, comma separated")
    .option("--inputs", "print the inputs as well, each before its events")
    .option("--summary", "print nothing but the summary")
    .option("--json", "print JSON, one value a line")
    .action(async (file: string, flags: ReplayFlags) => {
      const { replayTraceFile } = await import("../stored/replay-trace.ts");
      await replayTraceFile(context, file, flags);
    });
}
