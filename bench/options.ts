import { parseArgs } from "node:util";
import { WORKLOADS, type Workload } from "./workloads.ts";

export const USAGE: string = `Usage: npm run bench -- [--peers zookeeper,etcd,etcd3] [--only ID,ID…] [--quick] [--rounds N] [--out FILE] [--resume [--any-commit]] [--data DIR]

Sets Quorate beside ZooKeeper and etcd: ensembles on this machine, data on DIR's disk (default: here), default
durability, rounds in turn, at least 3 (--quick: 1, and shorter). See bench/README.md.

  --peers       Systems beside Quorate. Default: all three; "none": Quorate alone
  --only        Workloads. Default: all
  --quick       One round; 2 s warm-up and 5 s instead of 5 s and 20 s; a failover three times instead of ten
  --rounds      Default: 3; 1 with --quick
  --out         Write everything as JSON into this file; until then every finished run stands in FILE.journal
  --resume      Make the runs that FILE.journal does not hold yet; the same flags as before
  --data        Folder whose disk holds the data. Default: the current one; a file system in memory is refused
  --any-commit  With --resume: also where the commit is another one; the JSON has that of every run

Workloads: ${WORKLOADS.map(({ id }) => id).join(" ")}
`;

/** What was asked for. */
export interface BenchOptions {
  readonly peers: readonly string[];
  readonly workloads: readonly Workload[];
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly out: string | null;
  readonly isResumed: boolean;
  /** Runs of other commits may be gone on with. */
  readonly isAnyCommit: boolean;
  readonly data: string;
}

const PEERS = ["zookeeper", "etcd", "etcd3"];
const ROUNDS_MIN = 3;

/** Null when only help is wanted. Throws a sentence for the user when the arguments are wrong. */
export function parseOptions(args: readonly string[]): BenchOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      peers: { type: "string", default: PEERS.join(",") },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      out: { type: "string" },
      resume: { type: "boolean", default: false },
      "any-commit": { type: "boolean", default: false },
      data: { type: "string", default: "." },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const least = values.quick ? 1 : ROUNDS_MIN;
  const rounds = Number(values.rounds ?? least);
  if (!Number.isInteger(rounds) || rounds < least) {
    throw new Error(
      `--rounds takes a whole number from ${least}${values.quick ? "" : "; --quick allows 1"}`,
    );
  }
  if (values.resume && values.out === undefined) throw new Error("--resume needs --out");
  const peers = values.peers === "none" ? [] : values.peers.split(",");
  for (const peer of peers) {
    if (!PEERS.includes(peer))
      throw new Error(`there is no peer ${peer}; known: ${PEERS.join(", ")}`);
  }
  return {
    peers,
    workloads: chooseWorkloads(values.only),
    isQuick: values.quick,
    rounds,
    out: values.out ?? null,
    isResumed: values.resume,
    isAnyCommit: values["any-commit"],
    data: values.data,
  };
}

function chooseWorkloads(only: string | undefined): readonly Workload[] {
  if (only === undefined) return WORKLOADS;
  return [...new Set(only.split(","))].map((id) => {
    const found = WORKLOADS.find((workload) => workload.id === id);
    if (found === undefined) throw new Error(`there is no workload ${id}; --help lists them`);
    return found;
  });
}
