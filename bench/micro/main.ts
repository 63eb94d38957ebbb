import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { microMachine, readBaseline, writeBaseline } from "./baseline.ts";
import { codecCases } from "./codec-cases.ts";
import { logCases } from "./log-cases.ts";
import { formatMicroTable } from "./micro-table.ts";
import { raftCases } from "./raft-cases.ts";
import { runCases } from "./run-cases.ts";
import { loadServerInternals } from "./server-internals.ts";
import { treeCases } from "./tree-cases.ts";

const USAGE = `Usage: npm run bench:micro -- [--quick] [--update-baseline] [--data DIR]

Measures single parts of Quorate and holds them against bench/micro/baseline.json. DIR: whose disk the log is on.
`;
const FULL = { warmUpMs: 300, measureMs: 1_000 };
const QUICK = { warmUpMs: 150, measureMs: 150 };

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    "update-baseline": { type: "boolean", default: false },
    data: { type: "string", default: "." },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(USAGE);
} else {
  const directory = mkdtempSync(join(resolve(values.data), ".bench-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  const internals = await loadServerInternals();
  const cases = [
    ...raftCases(internals),
    ...codecCases(internals),
    ...treeCases(),
    ...(await logCases(internals, directory)),
  ];
  const results = await runCases(cases, values.quick ? QUICK : FULL);
  for (const { close } of cases) await close?.();
  process.stdout.write(formatMicroTable(results, readBaseline(), microMachine()));
  if (values["update-baseline"]) {
    writeBaseline(
      Object.fromEntries(
        results.map(({ name, nanoseconds }) => [name, Number(nanoseconds.toFixed(1))]),
      ),
    );
  }
}
