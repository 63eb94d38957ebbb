import * as client from "../../packages/client/src/points.ts";
import * as kvStore from "../../packages/kv-store/src/points.ts";
import * as raft from "../../packages/raft/src/points.ts";
import * as server from "../../packages/server/src/points.ts";

/** The packages whose points can be watched. */
const PACKAGES = {
  raft: { names: raft.RAFT_POINTS, observe: raft.observePoints },
  "kv-store": { names: kvStore.KV_STORE_POINTS, observe: kvStore.observePoints },
  client: { names: client.CLIENT_POINTS, observe: client.observePoints },
  server: { names: server.SERVER_POINTS, observe: server.observePoints },
} as const;

const LINE_WIDTH = 110;

/** What is told of points: each with its count, the names of those never reached, or only how many were reached. */
export type PointsTold = "all" | "missing" | "sum";

export type WatchedPackage = keyof typeof PACKAGES;

/** Every package that has points. */
export const WATCHED_PACKAGES: readonly WatchedPackage[] = ["raft", "kv-store", "client", "server"];

/**
 * How often the code of this process has come to each of its points since it is watched: which rare situations runs were in,
 * and which never. Disposing of it ends the watching; one at a time.
 */
export class PointCounts implements Disposable {
  readonly #counts = new Map<string, number>();
  readonly #packages: readonly WatchedPackage[];

  constructor(packages: readonly WatchedPackage[]) {
    this.#packages = packages;
    const note = (name: string): void => {
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    };
    for (const each of packages) {
      for (const name of PACKAGES[each].names) this.#counts.set(name, 0);
      PACKAGES[each].observe(note);
    }
  }

  get total(): number {
    return this.#counts.size;
  }

  get reached(): number {
    return this.total - this.missing.length;
  }

  /** Those never reached, in the order in which they are declared. */
  get missing(): readonly string[] {
    return [...this.#counts].flatMap(([name, count]) => (count === 0 ? [name] : []));
  }

  /** For people. */
  lines(told: PointsTold): readonly string[] {
    const summary = `points: ${this.reached} of ${this.total} reached`;
    if (told === "all") {
      return [...[...this.#counts].map(([name, count]) => `${count} ${name}`), summary];
    }
    const { missing } = this;
    if (missing.length === 0) return [summary];
    if (told === "sum") return [`${summary}; --points lists all`];
    return ["never reached:", ...wrapped(missing), summary];
  }

  [Symbol.dispose](): void {
    for (const each of this.#packages) PACKAGES[each].observe(null);
  }
}

/** One behind the other, in lines that a screen is wide enough for. */
function wrapped(names: readonly string[]): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const name of names) {
    if (line !== "" && line.length + name.length > LINE_WIDTH) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? `  ${name}` : ` ${name}`;
  }
  return [...lines, line];
}
