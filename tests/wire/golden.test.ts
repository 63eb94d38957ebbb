import { COMMAND_VERSION, decodeCommand, encodeCommand, stampCommand } from "@quorate/kv-store";
import {
  CREATE_MODES,
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
  EVENT_KINDS,
  PROTOCOL_LIMITS,
  PROTOCOL_VERSION,
  WATCH_MODES,
} from "@quorate/kv-store/protocol";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CLIENT_MESSAGES, COMMANDS, SERVER_MESSAGES } from "./golden-messages.ts";

/*
 * golden.txt holds one line of hex for each message. UPDATE_GOLDEN=1 rewrites it; a difference in an old line means
 * that peers of the old version no longer understand this one, so it takes a new version number and a new pin below.
 */
const FILE = new URL("golden.txt", import.meta.url);
const STAMP = { timeMs: 1_700_000_000_000, clockMs: 12_345 };

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function commandBytes(command: (typeof COMMANDS)[number]): Uint8Array {
  const bytes = encodeCommand(command);
  stampCommand(bytes, STAMP);
  return bytes;
}

const lines = [
  ...CLIENT_MESSAGES.map(
    (message) => `client ${message.kind} ${hex(encodeClientFrame([message]))}`,
  ),
  ...SERVER_MESSAGES.map(
    (message) => `server ${message.kind} ${hex(encodeServerFrame([message]))}`,
  ),
  ...COMMANDS.map((command) => `command ${command.kind} ${hex(commandBytes(command))}`),
];

if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(FILE, `${lines.join("\n")}\n`);
const golden = readFileSync(FILE, "utf8").trimEnd().split("\n");

function goldenBytes(side: string): readonly Uint8Array[] {
  return golden
    .filter((line) => line.startsWith(`${side} `))
    .map((line) => Uint8Array.from(Buffer.from(line.split(" ")[2] ?? "", "hex")));
}

describe("golden bytes", () => {
  it("are what is written", () => {
    expect(lines).toEqual(golden);
  });

  it("are understood", () => {
    expect(goldenBytes("client").flatMap(decodeClientFrame)).toEqual(CLIENT_MESSAGES);
    expect(goldenBytes("server").flatMap(decodeServerFrame)).toEqual(SERVER_MESSAGES);
    const commands = goldenBytes("command").map((bytes) => decodeCommand(bytes));
    expect(commands).toEqual(COMMANDS.map((command) => ({ stamp: STAMP, command })));
  });
});

/** Hash of what a peer must have in common (codes apart: new ones may come), by version. An old pin never changes. */
const CLIENT_PINS: Readonly<Record<number, string>> = {
  1: "48c3929718a48f7c",
};
const COMMAND_PINS: Readonly<Record<number, string>> = {
  1: "eeadd70d01cf01de",
};

function hash(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}

describe("versions", () => {
  it("change with what the client wire says", () => {
    const wire = lines.filter((line) => !line.startsWith("command"));
    const schema = [wire, CREATE_MODES, EVENT_KINDS, WATCH_MODES, PROTOCOL_LIMITS];
    expect(hash(schema)).toBe(CLIENT_PINS[PROTOCOL_VERSION]);
  });

  it("change with what the log says", () => {
    const commands = lines.filter((line) => line.startsWith("command"));
    expect(hash([commands, CREATE_MODES])).toBe(COMMAND_PINS[COMMAND_VERSION]);
  });
});
