#!/usr/bin/env node
import { Command } from "commander";
import { constants } from "node:os";
import { END_SIGNALS } from "../context.ts";
import { EXIT_CODES, exitCodeOfSignal } from "../exit-code.ts";
import { systemContext } from "../system-context.ts";
import { playDemo } from "./demo.ts";

const command = new Command("npm run demo --")
  .description(
    "kills workers and servers and shows what Quorate promises then; exits with 0 if all of it held",
  )
  .option("--without-lock", "increment the counter without a lock: fails, as it must")
  .option("--without-guard", "do not guard the writes with the lock's token: fails, as it must")
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage))
  .parse();
const flags = command.opts<{ withoutLock?: boolean; withoutGuard?: boolean }>();
for (const signal of END_SIGNALS) {
  process.once(signal, () => process.exit(exitCodeOfSignal(constants.signals[signal])));
}

const held = await playDemo(systemContext().out, {
  useLock: flags.withoutLock !== true,
  useGuard: flags.withoutGuard !== true,
});
// Not exitCode: a connection that lingers must not keep a finished demo alive.
process.exit(held ? 0 : 1);
