import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** U+FEFF at the beginning is a character like any other, however long the text is. */
const TEXTS = [`\ufeff${"x".repeat(70)}`, `\ufeff${"é".repeat(200)}`, "\ufeffx", "\ufeff"];

/** Prints what each text comes to in a write, a watch, a list of children, and an attach in the log. */
const PROGRAM = `
  import { decodeCommand, encodeCommand } from "@quorate/kv-store";
  import {
    decodeClientFrame, decodeServerFrame, encodeClientFrame, encodeServerFrame,
  } from "@quorate/kv-store/protocol";
  const none = new Uint8Array(0);
  const stat = {
    czxid: 1, mzxid: 1, pzxid: 1, ctimeMs: 0, mtimeMs: 0, version: 0, cversion: 0, aversion: 0,
    ephemeralOwner: 0, dataBytes: 0, childCount: 1,
  };
  const read = JSON.parse(process.env.TEXTS).map((text) => {
    const ops = [{ kind: "set", path: text, data: none, version: null }];
    const watch = {
      kind: "addWatch", cxid: 1, watchId: 1, path: text, mode: "recursive", withData: false, sinceZxid: null,
    };
    const frame = encodeClientFrame([{ kind: "write", writeSeq: 1, ackedSeq: 0, ops }, watch]);
    const [write, added] = decodeClientFrame(frame);
    const value = { kind: "children", names: [text], more: false, stat };
    const reply = { kind: "readReply", cxid: 1, zxid: 1, reply: { ok: true, value } };
    const [list] = decodeServerFrame(encodeServerFrame([reply]));
    const attach = { node: 1, address: text, principal: text, clientName: text };
    const open = encodeCommand({ kind: "openSession", verifier: none, timeoutMs: 1, attach });
    const { clientName } = decodeCommand(open).command.attach;
    return [write.ops[0].path, added.path, list.reply.value.names[0], clientName];
  });
  console.log(JSON.stringify(read));
`;

test.each(["true", "false"])(
  "texts are read as they were written, with MSGPACKR_NATIVE_ACCELERATION_DISABLED=%s",
  async (disabled) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", PROGRAM],
      {
        cwd: import.meta.dirname,
        timeout: 20_000,
        env: {
          ...process.env,
          MSGPACKR_NATIVE_ACCELERATION_DISABLED: disabled,
          TEXTS: JSON.stringify(TEXTS),
        },
      },
    );
    expect(JSON.parse(stdout)).toEqual(TEXTS.map((text) => [text, text, text, text]));
  },
);
