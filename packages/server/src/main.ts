import { runServerProcess } from "./server-process.ts";

// A promise that nobody handles or an error that nobody catches leaves the node in a state that nobody knows.
process.on("unhandledRejection", (error) => {
  process.stderr.write(`unhandled rejection: ${describe(error)}\n`);
  process.exit(70);
});
process.on("uncaughtException", (error) => {
  process.stderr.write(`uncaught exception: ${describe(error)}\n`);
  process.exit(70);
});

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

process.exit(await runServerProcess(process.argv.slice(2), process.env));
