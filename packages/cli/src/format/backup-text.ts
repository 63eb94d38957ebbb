import type { BackupSummary } from "@quorate/server";
import { counted } from "./counted.ts";

/** What a whole backup holds, on one line. */
export function backupText(summary: BackupSummary): string {
  const { zxid, term, znodes, sessions, digest, clusterId, historyId, bytes } = summary;
  return (
    `zxid ${zxid} (term ${term}) of ensemble ${clusterId}, history ${historyId}: ` +
    `${counted(znodes, "znode")}, ${counted(sessions, "session")}, ${bytes} bytes, digest ${digest}\n`
  );
}
