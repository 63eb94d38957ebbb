import { DataTree, TREE_LIMITS, WatchTable, type ApplyOutcome } from "@quorate/kv-store";
import { zxid, type WriteOp } from "@quorate/kv-store/protocol";
import { itemPath } from "../protocol.ts";
import type { MicroCase } from "./micro-case.ts";
import { sampleSet, sampleValue, sampleWrite } from "./sample-data.ts";

const PATHS = 10_000;
const MULTI_OPS = 8;
const WATCH_OWNERS = 500;
const VERIFIER = new Uint8Array(32).fill(7);

/** Applying commands to a tree of 10,000 znodes, and finding who watches a change. */
export function treeCases(): readonly MicroCase[] {
  return [setCase(), createCase(), multiCase(), watchOneCase(), watchAllCase()];
}

function setCase(): MicroCase {
  const tree = new FilledTree();
  let at = 0;
  return {
    name: "tree: apply a set",
    operations: 1,
    run: () => {
      at = (at + 1) % PATHS;
      return tree.write([sampleSet(at)]);
    },
  };
}

/** Deleted again, or the tree would grow as long as anybody measures. */
function createCase(): MicroCase {
  const tree = new FilledTree();
  const path = "/bench/new";
  const data = sampleValue(0);
  return {
    name: "tree: apply a create and a delete",
    operations: 2,
    run: () => {
      tree.write([{ kind: "create", path, data, mode: "persistent" }]);
      return tree.write([{ kind: "delete", path, version: null }]);
    },
  };
}

function multiCase(): MicroCase {
  const tree = new FilledTree();
  let at = 0;
  return {
    name: `tree: apply a multi of ${MULTI_OPS} sets`,
    operations: 1,
    run: () => {
      at = (at + MULTI_OPS) % PATHS;
      return tree.write(Array.from({ length: MULTI_OPS }, (_, op) => sampleSet((at + op) % PATHS)));
    },
  };
}

function watchOneCase(): MicroCase {
  const { changes } = new FilledTree().write([sampleSet(17)]);
  const table = new WatchTable<number>();
  for (let at = 0; at < PATHS; at += 1) {
    const path = itemPath("/bench", at);
    table.add(at % WATCH_OWNERS, { watchId: at, path, mode: "persistent", withData: false });
  }
  return {
    name: `watch match: one of ${PATHS} watches`,
    operations: 1,
    run: () => table.match(changes),
  };
}

function watchAllCase(): MicroCase {
  const { changes } = new FilledTree().write([sampleSet(17)]);
  const table = new WatchTable<number>();
  for (let owner = 0; owner < WATCH_OWNERS; owner += 1) {
    const path = itemPath("/bench", 17);
    table.add(owner, { watchId: 1, path, mode: "persistent", withData: false });
  }
  return {
    name: `watch match: ${WATCH_OWNERS} watches of one znode`,
    operations: WATCH_OWNERS,
    run: () => table.match(changes),
  };
}

class FilledTree {
  readonly #tree = new DataTree(TREE_LIMITS);
  readonly #stamp = { timeMs: 1_700_000_000_000, clockMs: 1 };
  readonly #session: number;
  #zxid = 0;
  #sequence = 0;

  constructor() {
    const attach = { node: 1, address: "", principal: "", clientName: "" };
    const opening = { kind: "openSession", verifier: VERIFIER, timeoutMs: 10_000, attach } as const;
    const { result } = this.#tree.apply(this.#next(), 1, this.#stamp, opening);
    if (result.kind !== "attached") throw new Error("no session was opened");
    this.#session = result.session;
    this.#create("/bench");
    for (let at = 0; at < PATHS; at += 1) this.#create(itemPath("/bench", at));
    this.#checkpoint();
  }

  /** As every node's tree has had one: what it reads back must not make what follows slower. */
  #checkpoint(): void {
    const checkpoint = this.#tree.freeze();
    while (checkpoint.next(500, 262_144).length > 0);
    checkpoint.complete();
  }

  write(ops: readonly WriteOp[]): ApplyOutcome {
    this.#sequence += 1;
    const command = sampleWrite(this.#session, this.#sequence, ops);
    const outcome = this.#tree.apply(this.#next(), 1, this.#stamp, command);
    if (outcome.changes.length === 0) throw new Error("a write changed nothing");
    return outcome;
  }

  #create(path: string): void {
    this.write([{ kind: "create", path, data: sampleValue(0), mode: "persistent" }]);
  }

  #next(): ReturnType<typeof zxid> {
    this.#zxid += 1;
    return zxid(this.#zxid);
  }
}
