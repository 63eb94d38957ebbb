import { assert } from "./assert.ts";
import type { FencingToken } from "./protocol/index.ts";
import type { TreeState } from "./tree-state.ts";
import type { Znode } from "./znode.ts";

/** The contender that holds the lock at `path`: the one with the lowest czxid. Undefined: nobody, or no lock. */
export function holderOf(state: TreeState, path: string): Znode | undefined {
  const directory = state.nodes.get(path);
  if (directory === undefined || directory.contenderFormat === null) return undefined;
  const first = directory.children?.first;
  if (first === undefined) return undefined;
  const holder = state.nodes.get(first);
  assert(holder !== undefined, "holder_exists", () => path);
  assert(holder.parent === directory, "holder_in_directory");
  return holder;
}

/** The contender with that token at `path`. Names rise with czxids, so the line is searched by halves. */
export function contenderOf(
  state: TreeState,
  path: string,
  token: FencingToken,
): Znode | undefined {
  const directory = state.nodes.get(path);
  if (directory === undefined || directory.contenderFormat === null) return undefined;
  const found = directory.children?.find((candidate) => {
    const node = state.nodes.get(candidate);
    assert(node !== undefined, "contender_exists", () => candidate);
    return node.stat.czxid - token;
  });
  const contender = found === undefined ? undefined : state.nodes.get(found);
  assert(contender === undefined || contender.parent === directory, "contender_in_directory");
  return contender;
}
