import type { Membership } from "@quorate/raft";
import type { SimNode } from "./sim-node.ts";

/** What a node says of itself, in one line, for a run that came to nothing. */
export function describeNode({ name, server }: SimNode): string {
  if (server === null) return `${name} is down`;
  const { role, term, appliedIndex, membership, sessions, notReady } = server.status();
  const reasons = notReady.join(", ");
  return (
    `${name} ${role} of term ${term} at ${appliedIndex}, ${sessions} sessions, ` +
    `members ${describeMembers(membership)}; ${reasons === "" ? "ready" : reasons}`
  );
}

function describeMembers(membership: Membership | null): string {
  if (membership === null) return "none";
  const names = membership.members.map(({ id, name, promotion }) => {
    if (membership.voters.includes(id)) return name;
    return `${name} (${membership.outgoingVoters.includes(id) ? "leaving" : promotion.kind})`;
  });
  return names.join(", ");
}
