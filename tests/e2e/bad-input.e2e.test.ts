import { serverFlags } from "@quorate/cli";
import {
  QuorateError,
  connect,
  type FencingToken,
  type QuorateClient,
  type SessionId,
} from "@quorate/client";
import {
  PROTOCOL_LIMITS,
  encodeClientFrame,
  writeSeq,
  type ClientMessage,
} from "@quorate/kv-store/protocol";
import { connect as connectTcp } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { SERVER_MAIN, startEnsemble, type TestEnsemble } from "./ensemble.ts";
import { poll } from "./poll.ts";
import { runProgram } from "./program.ts";
import { RawConnection, hello } from "./raw-connection.ts";

/** Ids that nobody was ever given; the branded types have no constructor outside the service. */
const NOBODY: SessionId = JSON.parse("987654321");
const NO_TOKEN: FencingToken = JSON.parse("1");

/** Asserts that somebody else, on the same server, went on undisturbed and that nothing changed. */
interface Witness {
  readonly ensemble: TestEnsemble;
  readonly server: string;
  readonly client: QuorateClient;
  check(): Promise<void>;
}

describe("bad frames", () => {
  test("each gets its code, changes nothing, crashes nothing and disturbs nobody", async () => {
    const witness = await startWithWitness();
    for (const [name, send, code] of BAD_FRAMES) {
      const raw = await RawConnection.openSession(witness.server, 5_000);
      send(raw);
      await raw.closing();
      const told = raw.received.flatMap((message) =>
        message.kind === "goodbye" ? [message.code] : [],
      );
      expect([name, told]).toEqual([name, [code]]);
      await witness.check();
    }
  });

  test("a frame above the limit, and text instead of bytes, are refused by the transport", async () => {
    const witness = await startWithWitness();
    for (const [frame, closeCode] of [
      [new Uint8Array(PROTOCOL_LIMITS.frameBytesMax + 1), WEBSOCKET_TOO_BIG],
      ["hello", WEBSOCKET_UNSUPPORTED_DATA],
    ] as const) {
      const raw = await RawConnection.openSession(witness.server, 5_000);
      raw.sendBytes(frame);
      expect(await raw.closing()).toEqual({ code: closeCode });
      await witness.check();
    }
  });

  test("bytes that are no WebSocket at all are answered as HTTP and closed", async () => {
    const witness = await startWithWitness();
    const [host, port] = witness.server.split(":");
    for (const bytes of ["\u0000\u0001\u0002\u0003\r\n\r\n", "GET", "A".repeat(100_000)]) {
      const socket = connectTcp({ host: host ?? "", port: Number(port) });
      onTestFinished(() => void socket.destroy());
      let isClosed = false;
      socket.on("close", () => (isClosed = true));
      socket.on("error", () => undefined);
      socket.on("data", () => undefined);
      socket.write(bytes);
      socket.end();
      await poll("the socket to be closed", 20_000, () => (isClosed ? true : null));
      await witness.check();
    }
  });
});

describe("bad hellos", () => {
  test("another version is told ours", async () => {
    const witness = await startWithWitness();
    const goodbye = await answerTo(witness, hello({ protocolVersion: 999 }));
    expect(goodbye).toMatchObject({ code: "UNSUPPORTED_VERSION", protocolVersion: 1, fatal: true });
  });

  test("an unknown session and a wrong secret are told apart by nobody", async () => {
    const witness = await startWithWitness();
    const unknown = await answerTo(witness, { ...hello(), session: NOBODY });
    const stolen = await answerTo(witness, hello({ session: witness.client.session }));
    expect(unknown.code).toBe("SESSION_EXPIRED");
    expect({ code: stolen.code, message: stolen.message, fatal: stolen.fatal }).toEqual({
      code: unknown.code,
      message: unknown.message,
      fatal: unknown.fatal,
    });
  });

  test("anything before the hello is refused", async () => {
    const witness = await startWithWitness();
    const goodbye = await answerTo(witness, { kind: "ping", pingId: 1 });
    expect(goodbye.code).toBe("PROTOCOL_ERROR");
  });

  async function answerTo(witness: Witness, message: ClientMessage) {
    const raw = await RawConnection.open(witness.server);
    onTestFinished(() => raw.close());
    raw.send(message);
    const goodbye = await raw.next("goodbye");
    await raw.closing();
    await witness.check();
    return goodbye;
  }
});

describe("bad requests through the SDK", () => {
  test("each is refused with its code", async () => {
    const witness = await startWithWitness();
    await using client = await connect({ servers: [witness.server] });
    for (const [name, call, code] of BAD_CALLS) {
      const outcome = await call(client).then(
        () => "accepted",
        (error: unknown) => (error instanceof QuorateError ? error.code : error),
      );
      expect([name, outcome]).toEqual([name, code]);
    }
    await witness.check();
  });
});

test("bad configurations end the process, each with a code of its own", async () => {
  const witness = await startWithWitness();
  const { plan } = witness.ensemble.local;
  const flags = serverFlags(plan, witness.ensemble.plan("1"));
  for (const [name, change, exitCode, code] of BAD_CONFIGURATIONS) {
    const run = await runProgram(SERVER_MAIN, change(flags));
    expect([name, run.exit]).toEqual([name, exitCode]);
    expect(run.output).toContain(code);
    await witness.check();
  }
});

type Flags = readonly string[];

/** Exit codes are `SERVER_EXIT_CODES`: usage, address, storage. */
const BAD_CONFIGURATIONS: readonly (readonly [string, (flags: Flags) => Flags, number, string])[] =
  [
    ["an unknown flag", (flags) => [...flags, "--no-such-flag"], 2, "CONFIG_UNKNOWN_KEY"],
    [
      "the same member twice",
      (flags) => [...flags, "--member", "1=127.0.0.1:1,127.0.0.1:2"],
      2,
      "CONFIG_INVALID",
    ],
    [
      "an address that is another member's",
      (flags) => [
        ...flags,
        "--member",
        `4=127.0.0.1:1,${flags[flags.indexOf("--client-listen") + 1]}`,
      ],
      2,
      "CONFIG_INVALID",
    ],
    [
      "a name that is no member's",
      (flags) => flags.map((flag, index) => (flags[index - 1] === "--name" ? "9" : flag)),
      2,
      "CONFIG_INVALID",
    ],
    [
      "log segments of no whole sectors",
      (flags) => [...flags, "--log-segment-bytes", "1000000"],
      2,
      "CONFIG_INVALID",
    ],
    [
      "an address in use",
      (flags) => flags.map((flag) => (flag.includes("node-1") ? `${flag}-other` : flag)),
      3,
      "ADDRESS_IN_USE",
    ],
    ["a data directory in use", (flags) => flags, 5, "STORAGE_LOCKED"],
  ];

/** RFC 6455, section 7.4.1. */
const WEBSOCKET_TOO_BIG = 1009;
const WEBSOCKET_UNSUPPORTED_DATA = 1003;

const garbage = (raw: RawConnection): void => raw.sendBytes(new Uint8Array(64).fill(0xff));

/** MessagePack: a list of one message, which is a list of the number 250. */
const UNKNOWN_MESSAGE = new Uint8Array([0x91, 0x91, 0xcc, 250]);

/** MessagePack: a list of more entries than a frame may have. */
function tooManyMessages(): Uint8Array {
  const count = PROTOCOL_LIMITS.frameMessagesMax + 1;
  const bytes = new Uint8Array(3 + count).fill(0xc0);
  bytes.set([0xdc, count >> 8, count & 0xff]);
  return bytes;
}

const BAD_FRAMES: readonly (readonly [string, (raw: RawConnection) => void, string])[] = [
  ["garbage", garbage, "PROTOCOL_ERROR"],
  ["an empty frame", (raw) => raw.sendBytes(new Uint8Array()), "PROTOCOL_ERROR"],
  ["an unknown kind of message", (raw) => raw.sendBytes(UNKNOWN_MESSAGE), "UNKNOWN_OPERATION"],
  ["too many messages", (raw) => raw.sendBytes(tooManyMessages()), "PROTOCOL_ERROR"],
  ["a second hello", (raw) => raw.send(hello()), "PROTOCOL_ERROR"],
  [
    "half a frame",
    (raw) => raw.sendBytes(encodeClientFrame([{ kind: "ping", pingId: 7 }]).subarray(0, -1)),
    "PROTOCOL_ERROR",
  ],
  ["paths that are not UTF-8", (raw) => raw.sendBytes(notUtf8()), "PROTOCOL_ERROR"],
];

const BAD_CALLS: readonly (readonly [
  string,
  (client: QuorateClient) => Promise<unknown>,
  string,
])[] = [
  ["relative path", (client) => client.create("a", ""), "BAD_PATH"],
  ["trailing slash", (client) => client.create("/a/", ""), "BAD_PATH"],
  ["empty component", (client) => client.get("/a//b"), "BAD_PATH"],
  ["dots", (client) => client.create("/a/../b", ""), "BAD_PATH"],
  ["no such znode", (client) => client.get("/nothing"), "NO_NODE"],
  ["no such parent", (client) => client.create("/nothing/below", ""), "NO_NODE"],
  ["exists already", (client) => client.create("/witness", ""), "NODE_EXISTS"],
  ["wrong version", (client) => client.set("/witness", "x", { version: 99 }), "BAD_VERSION"],
  ["not empty", (client) => client.delete("/full"), "NOT_EMPTY"],
  ["the root", (client) => client.delete("/"), "BAD_ARGUMENTS"],
  [
    "too much data",
    (client) => client.set("/witness", new Uint8Array(PROTOCOL_LIMITS.dataBytesMax + 1)),
    "TOO_LARGE",
  ],
  [
    "all or nothing",
    (client) =>
      client.multi([
        { kind: "set", path: "/witness", data: new Uint8Array([1]), version: null },
        { kind: "check", path: "/nothing", version: null },
      ]),
    "NO_NODE",
  ],
  [
    "a token that nobody gave",
    (client) => client.multi([{ kind: "guard", path: "/nothing", token: NO_TOKEN }]),
    "FENCED",
  ],
];

/** A legal frame but for its paths, which would be three times as long with their bytes replaced. */
function notUtf8(): Uint8Array {
  const ops = Array.from({ length: 1_000 }, () => ({
    kind: "delete" as const,
    path: "\u007f".repeat(4 * PROTOCOL_LIMITS.pathBytesMax - 8),
    version: null,
  }));
  const write: ClientMessage = { kind: "write", writeSeq: writeSeq(1), ackedSeq: 0, ops };
  return encodeClientFrame([write]).map((byte) => (byte === 0x7f ? 0xff : byte));
}

async function startWithWitness(): Promise<Witness> {
  const ensemble = await startEnsemble();
  const server = ensemble.directServer("1");
  const client = await connect({ servers: [server], name: "witness" });
  onTestFinished(() => client.close());
  await client.create("/witness", "unharmed");
  await client.create("/full");
  await client.create("/full/child");
  const session = client.session;
  let pings = 0;
  return {
    ensemble,
    server,
    client,
    check: async () => {
      pings += 1;
      const { data, stat } = await client.get("/witness");
      expect([new TextDecoder().decode(data), stat.version]).toEqual(["unharmed", 0]);
      expect((await client.children("/")).names).toEqual(["full", "witness"]);
      const states = [client.state.kind, client.session];
      expect([pings, ...states]).toEqual([pings, "connected", session]);
      expect(ensemble.local.nodes.map((node) => node.exit)).toEqual([null, null, null]);
    },
  };
}
