import { MemoryFile } from "./memory-file.ts";
import type { SeededRandom } from "./seeded-random.ts";

export type MemoryNode = MemoryFile | MemoryDirectory;

/** A change of names that a crash may undo. `node` null: the name goes. */
type Change = readonly { readonly name: string; readonly node: MemoryNode | null }[];

/** Names in a directory: as programs see them, and as the disk has them. */
export class MemoryDirectory {
  #names = new Map<string, MemoryNode>();
  #durable = new Map<string, MemoryNode>();
  /** Since the last sync, in order; each happens as a whole or not at all. */
  #changes: Change[] = [];

  /** With everything in it, as programs see it and as the disk has it. */
  copy(copies: Map<MemoryNode, MemoryNode> = new Map()): MemoryDirectory {
    const copyOf = (node: MemoryNode): MemoryNode => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      const copy = node instanceof MemoryDirectory ? node.copy(copies) : node.copy();
      copies.set(node, copy);
      return copy;
    };
    const namesOf = (names: ReadonlyMap<string, MemoryNode>): Map<string, MemoryNode> =>
      new Map([...names].map(([name, node]) => [name, copyOf(node)]));
    const directory = new MemoryDirectory();
    directory.#names = namesOf(this.#names);
    directory.#durable = namesOf(this.#durable);
    directory.#changes = this.#changes.map((change) =>
      change.map(({ name, node }) => ({ name, node: node === null ? null : copyOf(node) })),
    );
    return directory;
  }

  get(name: string): MemoryNode | undefined {
    return this.#names.get(name);
  }

  names(): readonly string[] {
    return [...this.#names.keys()].sort();
  }

  nodes(): Iterable<MemoryNode> {
    return this.#names.values();
  }

  change(change: Change): void {
    apply(this.#names, change);
    this.#changes.push(change);
  }

  sync(): void {
    this.#durable = new Map(this.#names);
    this.#changes = [];
  }

  /** Power is lost: each change since the last sync has happened or has not; then the same further down. Returns the sectors lost. */
  crash(random: SeededRandom): number {
    for (const change of this.#changes) if (random.nextBelow(2) === 0) apply(this.#durable, change);
    this.#changes = [];
    this.#names = new Map(this.#durable);
    let lost = 0;
    for (const node of this.#names.values()) lost += node.crash(random);
    return lost;
  }
}

/** Bytes of all files at and below a node. */
export function bytesIn(node: MemoryNode): number {
  if (node instanceof MemoryFile) return node.size;
  let bytes = 0;
  for (const each of node.nodes()) bytes += bytesIn(each);
  return bytes;
}

function apply(names: Map<string, MemoryNode>, change: Change): void {
  for (const { name, node } of change) {
    if (node === null) names.delete(name);
    else names.set(name, node);
  }
}
