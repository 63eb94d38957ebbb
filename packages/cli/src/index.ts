export { EXIT_CODES } from "./exit-code.ts";
export { runCli } from "./run-cli.ts";
export type { CliContext, TextSink } from "./context.ts";
export {
  clientAddresses,
  planEnsemble,
  portsFrom,
  serverFlags,
  type EnsemblePlan,
  type NodePlan,
  type NodePorts,
} from "./ensemble/ensemble-plan.ts";
export { FREE_PORTS, freePorts } from "./ensemble/free-ports.ts";
export {
  LocalEnsemble,
  fetchNodeStatus,
  type LocalEnsembleOptions,
  type NodeReading,
} from "./ensemble/local-ensemble.ts";
export { NodeProcess, describeExit, type NodeExit } from "./ensemble/node-process.ts";
export { askMembers, type ListedMember, type MemberList } from "./membership/member-list.ts";
export { systemContext } from "./system-context.ts";
export { findLeader, parseNodeStatus, type NodeStatus } from "./ensemble/node-status.ts";
