import { spawnSync } from "node:child_process";

/** The commit that is checked out, if any is. */
export function headCommit(): string {
  const { stdout } = spawnSync("git", ["rev-parse", "--short", "HEAD"]);
  return stdout.toString().trim() || "none";
}
