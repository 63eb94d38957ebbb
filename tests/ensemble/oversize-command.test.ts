import { connect } from "@quorate/client";
import {
  PROTOCOL_LIMITS,
  encodeClientFrame,
  writeSeq,
  type ClientMessage,
  type WriteOp,
} from "@quorate/kv-store/protocol";
import { expect, it } from "vitest";
import { RawConnection } from "../e2e/raw-connection.ts";
import { Servers } from "./servers.ts";

/** A write that fits into a frame, and would not into a log entry if wrong bytes were replaced by U+FFFD. */
function oversize(): Uint8Array {
  const path = "\u007f".repeat(4 * PROTOCOL_LIMITS.pathBytesMax);
  const ops: readonly WriteOp[] = Array.from({ length: 500 }, () => ({
    kind: "delete",
    path,
    version: null,
  }));
  const write: ClientMessage = { kind: "write", writeSeq: writeSeq(1), ackedSeq: 0, ops };
  return encodeClientFrame([write]).map((byte) => (byte === 0x7f ? 0xff : byte));
}

it.each([0, 1])("a write of wrong bytes keeps nobody else waiting on its node (%i)", async (at) => {
  await using servers = await Servers.start();
  const node = (servers.leader + at) % 3;
  const server = servers.clients[node] ?? "";
  await using client = await connect({ servers: [server] });
  const raw = await RawConnection.openSession(server, 10_000);
  raw.sendBytes(oversize());
  const options = { timeoutMs: 3_000 };
  await client.create("/a", "1", options);
  await client.set("/a", "2", options);
  await using other = await connect({ servers: [server] });
  expect((await other.get("/a", options)).stat.version).toBe(1);
  await raw.closing();
  expect(raw.received.at(-1)).toMatchObject({ kind: "goodbye", code: "PROTOCOL_ERROR" });
});
