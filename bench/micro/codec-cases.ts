import { decodeCommand, encodeCommand } from "@quorate/kv-store";
import {
  decodeClientFrame,
  encodeClientFrame,
  writeSeq,
  type ClientMessage,
} from "@quorate/kv-store/protocol";
import { logIndex, nodeId, term } from "@quorate/raft";
import type { MicroCase } from "./micro-case.ts";
import { entriesFrom, sampleCommands, sampleSet, sampleWrite } from "./sample-data.ts";
import type { ServerInternals } from "./server-internals.ts";

const COUNT = 64;

/** Everything that is encoded and decoded on the way of a write, in batches as they come under load. */
export function codecCases(internals: ServerInternals): readonly MicroCase[] {
  return [...clientFrameCases(), ...commandCases(), ...entryCases(internals)];
}

function clientFrameCases(): readonly MicroCase[] {
  const messages = Array.from({ length: COUNT }, (_, at): ClientMessage => {
    const ops = [sampleSet(at)];
    return { kind: "write", writeSeq: writeSeq(at + 1), ackedSeq: 0, ops };
  });
  const frame = encodeClientFrame(messages);
  return [
    many("client frame: encode writes", () => encodeClientFrame(messages)),
    many("client frame: decode writes", () => decodeClientFrame(frame)),
  ];
}

function commandCases(): readonly MicroCase[] {
  const commands = Array.from({ length: COUNT }, (_, at) =>
    sampleWrite(1, at + 1, [sampleSet(at)]),
  );
  const encoded = sampleCommands(COUNT);
  return [
    many("command: encode", () => commands.map(encodeCommand)),
    many("command: decode", () => encoded.map(decodeCommand)),
  ];
}

function entryCases({ entryCodec, peerCodec }: ServerInternals): readonly MicroCase[] {
  const { encodeEntries, decodeEntries } = entryCodec;
  const entries = entriesFrom(1, sampleCommands(COUNT));
  const block = encodeEntries(entries);
  const envelope = {
    kind: "raft",
    message: {
      kind: "appendEntries",
      from: nodeId(1),
      to: nodeId(2),
      term: term(1),
      prevIndex: logIndex(0),
      prevTerm: term(0),
      entries,
      commitIndex: logIndex(0),
    },
  } as const;
  const frame = peerCodec.encodePeerFrame([envelope], () => block);
  return [
    many("entry block: encode", () => encodeEntries(entries)),
    many("entry block: decode", () => decodeEntries(block)),
    many("peer frame: encode entries", () => peerCodec.encodePeerFrame([envelope], () => block)),
    many("peer frame: decode entries", () => peerCodec.decodePeerFrame(frame)),
  ];
}

function many(name: string, run: () => unknown): MicroCase {
  return { name: `${name}, ${COUNT} at a time`, operations: COUNT, run };
}
