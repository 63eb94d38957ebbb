import { SERVER_EXIT_CODES } from "@quorate/server";
import { describeExit, type NodeExit } from "./node-process.ts";

const MEANINGS: ReadonlyMap<number, string> = new Map([
  [SERVER_EXIT_CODES.usage, "its settings are wrong"],
  [SERVER_EXIT_CODES.address, "its address is taken"],
  [SERVER_EXIT_CODES.data, "its data are damaged or lost"],
  [SERVER_EXIT_CODES.storage, "the disk failed or is full, or another process has its data"],
  [SERVER_EXIT_CODES.refused, "the others do not want it"],
  [SERVER_EXIT_CODES.invariant, "it found itself wrong, or contradicted by the others"],
]);

/** How a server ended and, where its exit code says so, why. */
export function describeServerExit(exit: NodeExit): string {
  const meaning = exit.code === null ? undefined : MEANINGS.get(exit.code);
  return meaning === undefined ? describeExit(exit) : `${describeExit(exit)}, ${meaning}`;
}
