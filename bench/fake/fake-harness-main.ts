import { startChild, sweepAfterDeath } from "../child-processes.ts";

/** Of a server that nobody ends: it tells when it was let live for long. */
const SERVER = 'setTimeout(() => console.log("outlived"), 20_000)';

sweepAfterDeath(process.argv[2] ?? "");
startChild({ command: process.execPath, args: ["-e", SERVER] }, "inherit");
process.stdout.write("started\n");
