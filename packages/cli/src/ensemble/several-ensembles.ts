import type { StatusAnswer } from "./ask-status.ts";
import { isOfNoEnsemble } from "./node-status.ts";

/**
 * What is wrong, and what to do, where servers are not of one ensemble: a client takes whichever of them answers, and would be
 * in the one now and in the other later. Null where they are; nodes that are no part of any yet do not count.
 */
export function severalEnsembles(answers: readonly StatusAnswer[]): string | null {
  const ensembles = grouped(answers, "clusterId");
  if (ensembles.size > 1) {
    return (
      `these servers are of ${ensembles.size} ensembles: ${listed(ensembles)}\n` +
      "  name those of one alone with --servers or QUORATE_SERVERS, for clients as well: they take whichever answers"
    );
  }
  const histories = grouped(answers, "historyId");
  if (histories.size < 2) return null;
  return (
    `these servers are of ${histories.size} histories of one ensemble: ${listed(histories)}\n` +
    "  it was restored or recovered, and nodes of before still run: stop them, and take their addresses from the clients"
  );
}

type Groups = ReadonlyMap<string, readonly string[]>;

function grouped(answers: readonly StatusAnswer[], by: "clusterId" | "historyId"): Groups {
  const groups = new Map<string, string[]>();
  for (const { server, status } of answers) {
    if (status === null || isOfNoEnsemble(status)) continue;
    const group = groups.get(status[by]) ?? [];
    groups.set(status[by], [...group, server]);
  }
  return groups;
}

function listed(groups: Groups): string {
  return [...groups].map(([id, servers]) => `${servers.join(", ")} of ${id}`).join("; ");
}
