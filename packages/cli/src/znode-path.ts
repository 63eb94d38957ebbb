import { QuorateError } from "@quorate/client";
import { checkPath } from "@quorate/kv-store/protocol";

/** Throws BAD_PATH for what is no path, so that a wrong command line fails before any server is asked. */
export function checkZnodePath(path: string): void {
  if (checkPath(path) !== "BAD_PATH") return;
  throw new QuorateError("BAD_PATH", `${JSON.stringify(path)} is no path of a znode`, { path });
}
