import { unreachable } from "./assert.ts";
import { describeEntries, describeMembership, describeMessage } from "./describe.ts";
import type { RaftInput } from "./input.ts";

function bytesOf(commands: readonly Uint8Array[]): number {
  return commands.reduce((sum, command) => sum + command.length, 0);
}

/** An input in one line: for traces. */
export function describeInput(input: RaftInput): string {
  switch (input.kind) {
    case "tick":
    case "campaign":
      return input.kind;
    case "clock":
      return `clock ${input.nowMs} ms`;
    case "message":
      return describeMessage(input.message);
    case "propose":
      return `propose ${input.commands.length} commands, ${bytesOf(input.commands)} bytes`;
    case "proposeMembership":
      return `propose ${describeMembership(input.membership)}`;
    case "readIndex":
      return `read ${input.context.nonce}:${input.context.counter}`;
    case "transferLeadership":
      return `transfer leadership to ${input.to}`;
    case "persisted":
      return `write ${input.ticket.seq} is durable`;
    case "applied":
      return `applied up to ${input.index}`;
    case "fetched": {
      const { peer, from, entries } = input;
      return `fetched from ${from} on for ${peer}: ${entries === null ? "gone" : describeEntries(entries)}`;
    }
    case "peerUnreachable":
      return `peer ${input.peer} is unreachable`;
    case "snapshotSent":
      return `snapshot to ${input.to} ${input.ok ? "sent" : "broken off"}`;
    case "compact":
      return `image at ${input.snapshot.term}/${input.snapshot.index}`;
    default:
      return unreachable(input);
  }
}
