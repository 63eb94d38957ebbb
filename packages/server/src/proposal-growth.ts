import type { Command } from "@quorate/kv-store";

/** True for writes that add to what has to be kept: they are refused while the disk is full, everything else goes on. */
export function growsTree(command: Command): boolean {
  if (command.kind !== "write") return false;
  return command.ops.some(
    (op) => op.kind === "create" || op.kind === "set" || op.kind === "acquire",
  );
}
