import type { Stat } from "@quorate/kv-store/protocol";
import { formatTable } from "./table.ts";

/** A stat for people, one field a line, with what the numbers mean. */
export function statText(path: string, stat: Stat): string {
  const owner = stat.ephemeralOwner === 0 ? "none (persistent)" : `session ${stat.ephemeralOwner}`;
  return formatTable(
    [path, ""],
    [
      ["version", stat.version],
      ["bytes", stat.dataBytes],
      ["children", `${stat.childCount} (version ${stat.cversion})`],
      ["owner", owner],
      ["created", `${isoTime(stat.ctimeMs)} at zxid ${stat.czxid}`],
      ["modified", `${isoTime(stat.mtimeMs)} at zxid ${stat.mzxid}`],
      ["children changed", `zxid ${stat.pzxid}`],
    ],
  ).replace(/^.*\n/, `${path}\n`);
}

/** Milliseconds since 1970 as a date in UTC; a number where no date is that far away. */
export function isoTime(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}
