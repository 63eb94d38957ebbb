import { checkFilesToLoad } from "./config/files-to-load.ts";
import { ServerError } from "./errors.ts";
import { SERVER_EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { openFilesLimit } from "./system/open-files-limit.ts";

// A promise that nobody handles or an error that nobody catches leaves the node in a state that nobody knows.
process.on("unhandledRejection", (error) => {
  process.stderr.write(`unhandled rejection: ${describe(error)}\n`);
  process.exit(SERVER_EXIT_CODES.invariant);
});
process.on("uncaughtException", (error) => {
  process.stderr.write(`uncaught exception: ${describe(error)}\n`);
  process.exit(SERVER_EXIT_CODES.invariant);
});

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

try {
  checkFilesToLoad(openFilesLimit());
} catch (error) {
  if (!(error instanceof ServerError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(exitCodeOf(error));
}

const { runServerProcess } = await import("./server-process.ts");
process.exit(await runServerProcess(process.argv.slice(2), process.env));
