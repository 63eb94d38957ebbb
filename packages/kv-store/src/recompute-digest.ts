import { assert } from "./assert.ts";
import { DigestSum, Hasher } from "./digest.ts";
import { rememberedReply } from "./reply-window.ts";
import { hashSession, makeSession, sessionImage } from "./session.ts";
import type { TreeState } from "./tree-state.ts";
import { hashZnode, makeZnode, znodeImage } from "./znode.ts";

/** Sum over all znodes, sessions and replies, with nothing taken from what the state remembers of hashes. */
export function recomputedSum(state: TreeState): DigestSum {
  const sum = new DigestSum();
  const hasher = new Hasher();
  let nodeCount = 0;
  for (const node of state.nodes.values()) {
    const childCount = node.children?.size ?? 0;
    assert(childCount === node.stat.childCount, "znodes_count_their_children", () => node.path);
    const twin = makeZnode(node.path, null, znodeImage(node));
    hashZnode(hasher, twin);
    sum.add(twin.sumA, twin.sumB);
    nodeCount += 1;
  }
  assert(nodeCount === state.nodes.size, "walked_all_znodes");
  for (const session of state.sessions.values()) {
    const image = sessionImage(session);
    const twin = makeSession(session.id, image);
    hashSession(hasher, twin);
    sum.add(twin.sumA, twin.sumB);
    for (const { writeSeq, outcome } of image.replies) {
      const reply = rememberedReply(hasher, session.id, writeSeq, outcome);
      sum.add(reply.sumA, reply.sumB);
    }
  }
  return sum;
}
