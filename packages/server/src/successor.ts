import { isVoter, type NodeId, type RaftStatus } from "@quorate/raft";

/** The voter that a leader hands over to best: in touch, and furthest along. */
export function successor(status: RaftStatus): NodeId | null {
  if (status.role !== "leader") return null;
  let best: { readonly id: NodeId; readonly matchIndex: number } | null = null;
  for (const peer of status.peers) {
    if (!peer.recentlyActive || !isVoter(status.membership, peer.id)) continue;
    if (best === null || peer.matchIndex > best.matchIndex) best = peer;
  }
  return best?.id ?? null;
}
