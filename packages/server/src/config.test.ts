import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createServerConfig,
  parseServerConfig,
  serverConfigHelp,
  type ServerConfig,
} from "./config.ts";
import { isLoopback, parseHostPort } from "./config/address.ts";
import { OPTIONS, flagOf, variableOf } from "./config/option.ts";
import { didYouMean, editDistance } from "./config/suggest.ts";
import { ServerError } from "./errors.ts";
import { SERVER_LIMITS, validateLimits } from "./limits.ts";
import { WIRE_NUMBER_MAX } from "./peer/byte-reader.ts";

const THREE = ["1", "2", "3"].flatMap((name) => [
  "--member",
  `${name}=127.0.0.1:710${name},127.0.0.1:700${name}`,
]);

interface Input {
  readonly argv?: readonly string[];
  readonly env?: Record<string, string>;
  readonly file?: string;
}

function parse({ argv = [], env = {}, file }: Input): ServerConfig {
  return parseServerConfig({
    argv: file === undefined ? argv : ["--config", "q.toml", ...argv],
    env,
    readFile: (path) => {
      if (file === undefined || path !== "q.toml") throw new Error(`no such file: ${path}`);
      return file;
    },
    workingDirectory: "/srv",
  });
}

function failure(input: Input): ServerError {
  try {
    parse(input);
  } catch (error) {
    if (error instanceof ServerError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("defaults", () => {
  test("without anything it is an ensemble of one on loopback", () => {
    const config = parse({});
    expect(config).toMatchObject({
      name: "1",
      dataDirectory: "/srv/data/1",
      members: [{ name: "1", peerAddress: "127.0.0.1:7101", clientAddress: "127.0.0.1:7001" }],
      peer: { listen: { host: "127.0.0.1", port: 7101 }, advertise: "127.0.0.1:7101" },
      timing: { tickMs: 20, heartbeatMs: 100, electionTimeoutMs: 600 },
      sessions: { timeoutMinMs: 1000, timeoutMaxMs: 600_000 },
      limits: SERVER_LIMITS,
      entrance: "member",
      repair: true,
      priority: 100,
      leaseReads: false,
      scrubIntervalMs: 86_400_000,
      stopWithStdin: false,
      insecure: false,
      logLevel: "info",
      warnings: [],
    });
  });

  test("it is frozen to the bottom", () => {
    const config = parse({ argv: THREE.concat("--name", "2") });
    const frozen = (value: unknown): boolean =>
      typeof value !== "object" ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(config)).toBe(true);
  });
});

describe("sources", () => {
  test("flags win over the environment, it over the file, it over the defaults", () => {
    const file = 'heartbeat-ms = 40\nelection-timeout-ms = 400\ntick-ms = 10\nlog-level = "warn"\n';
    const env = { QUORATE_HEARTBEAT_MS: "50", QUORATE_ELECTION_TIMEOUT_MS: "500", HOME: "/root" };
    const config = parse({ file, env, argv: ["--election-timeout-ms=700"] });
    expect(config.timing).toEqual({ tickMs: 10, heartbeatMs: 50, electionTimeoutMs: 700 });
    expect(config.logLevel).toBe("warn");
  });

  test("a file, variables and flags can say the same", () => {
    const file = `
      name = "b"
      tree-bytes-max = "512MiB"
      allowed-origins = ["https://a.example", "http://localhost:8080"]
      [[members]]
      name = "a"
      peer = "10.0.0.1:7101|10.1.0.1:7101"
      client = "a.example:7001"
      [[members]]
      name = "b"
      peer = "127.0.0.1:7101"
      client = "127.0.0.1:7001"
    `;
    const env = {
      QUORATE_NAME: "b",
      QUORATE_TREE_BYTES_MAX: "536870912",
      QUORATE_ALLOWED_ORIGINS: "https://a.example, http://localhost:8080",
      QUORATE_MEMBERS:
        "a=10.0.0.1:7101|10.1.0.1:7101,a.example:7001; b=127.0.0.1:7101,127.0.0.1:7001",
    };
    const argv = ["--name", "b", "--tree-bytes-max=512m"];
    argv.push("--allowed-origins", "https://a.example,http://localhost:8080");
    argv.push("--member", "a=10.0.0.1:7101|10.1.0.1:7101,a.example:7001");
    argv.push("--member=b=127.0.0.1:7101,127.0.0.1:7001");
    const config = parse({ file });
    expect(parse({ env })).toEqual(config);
    expect(parse({ argv })).toEqual(config);
    expect(config.limits.tree.bytesMax).toBe(536_870_912);
    expect(config.members[0]?.peerAddress).toBe("10.0.0.1:7101|10.1.0.1:7101");
  });

  test("a program's settings are checked alike", () => {
    expect(createServerConfig({ name: "x" }, "/srv").dataDirectory).toBe("/srv/data/x");
    expect(() => createServerConfig({ heartbeatMs: 0 })).toThrow(
      /CONFIG_INVALID: heartbeatMs: must/,
    );
    const misspelt: object = { heartbeat: 1 };
    expect(() => createServerConfig(misspelt)).toThrow(/did you mean "heartbeatMs"/);
  });

  test("a boolean flag needs no value", () => {
    const named = parse({ argv: ["--rejoin", "--name", "2", ...THREE] });
    expect(named).toMatchObject({ entrance: "rejoin", name: "2" });
    expect(parse({ argv: ["--rejoin", "false"] }).entrance).toBe("member");
    const joining = parse({ argv: ["--name", "2", ...THREE], env: { QUORATE_JOIN: "1" } });
    expect(joining.entrance).toBe("join");
    expect(failure({ argv: ["--join", "--rejoin"] }).message).toContain("say one of both");
  });

  test.each([
    ["--join", "--name", "4"],
    ["--rejoin", "--member", "1=127.0.0.1:7101,127.0.0.1:7001"],
  ])("%s takes a member that can be asked", (...argv) => {
    const { code, message } = failure({ argv });
    expect(code).toBe("CONFIG_INVALID");
    expect(message).toContain("name with --member at least one member of the ensemble");
  });

  test("QUORATE_CONFIG names the file, --config wins over it", () => {
    expect(failure({ env: { QUORATE_CONFIG: "other.toml" } }).message).toContain("other.toml");
    expect(parse({ env: { QUORATE_CONFIG: "other.toml" }, file: 'name = "z"' }).name).toBe("z");
  });

  test("the help names every flag and variable", () => {
    const help = serverConfigHelp();
    for (const option of OPTIONS) {
      expect(help).toContain(flagOf(option));
      expect(help).toContain(variableOf(option));
    }
    for (const line of help.split("\n")) expect(line.length).toBeLessThan(160);
  });
});

describe("unknown names", () => {
  test.each<[string, Input, string, string]>([
    ["flag", { argv: ["--heartbeet-ms", "5"] }, "the command line", '"--heartbeat-ms"'],
    ["flag with value", { argv: ["--nmae=1"] }, "the command line", '"--name"'],
    ["plural", { argv: ["--members", "x"] }, "the command line", '"--member"'],
    [
      "variable",
      { env: { QUORATE_DATADIRECTORY: "x" } },
      "the environment",
      '"QUORATE_DATA_DIRECTORY"',
    ],
    ["key", { file: "heartbeat_ms = 5" }, "q.toml", '"heartbeat-ms"'],
    ["key cut short", { file: 'data-dir = "x"' }, "q.toml", '"data-directory"'],
    ["flag cut short", { argv: ["--data-dir", "x"] }, "the command line", '"--data-directory"'],
    ["key of a member", { file: '[[members]]\nnmae = "1"' }, "q.toml, [[members]]", '"name"'],
  ])(
    "of a %s are told with the place and the nearest known name",
    (_, input, place, suggestion) => {
      const error = failure(input);
      expect(error.code).toBe("CONFIG_UNKNOWN_KEY");
      expect(error.message).toContain(place);
      expect(error.message).toContain(`did you mean ${suggestion}?`);
    },
  );

  test.each<Input>([
    { argv: ["start"] },
    { argv: ["--frobnicate"] },
    { file: "[timing]\nheartbeat-ms = 1" },
    { file: "__proto__ = 1" },
    { file: "constructor = 1" },
    { env: { QUORATE_X: "" } },
  ])("that are near to nothing get no suggestion: %o", (input) => {
    const error = failure(input);
    expect(error.code).toBe("CONFIG_UNKNOWN_KEY");
    expect(error.message).not.toContain('did you mean "--c');
  });
});

describe("invalid values", () => {
  test.each<[Input, RegExp]>([
    [{ argv: ["--name"] }, /--name needs a value/],
    [{ argv: ["--name", "--rejoin"] }, /--name needs a value/],
    [{ argv: ["--name", "a", "--name", "b"] }, /--name is given twice/],
    [{ argv: ["--config", "a", "--config", "b"] }, /--config is given twice/],
    [{ argv: ["--heartbeat-ms", "fast"] }, /--heartbeat-ms: "fast" is not a whole number/],
    [{ argv: ["--heartbeat-ms", "-5"] }, /"-5" is not a whole number/],
    [{ argv: ["--heartbeat-ms", "1e3"] }, /is not a whole number/],
    [{ env: { QUORATE_HEARTBEAT_MS: "0" } }, /QUORATE_HEARTBEAT_MS: must be at least 1/],
    [
      { argv: ["--log-segment-bytes", "1000000"] },
      /--log-segment-bytes: must be a multiple of 512, at least 4096/,
    ],
    [
      { argv: ["--log-segment-bytes", "1TiB"] },
      /--log-segment-bytes: must be a multiple of 512, at least 4096 and at most 1073741824/,
    ],
    [
      { argv: ["--log-segment-bytes", "0"] },
      /--log-segment-bytes: must be a multiple of 512, at least 4096/,
    ],
    [
      { file: "log-segment-bytes = 3584" },
      /log-segment-bytes: must be a multiple of 512, at least 4096/,
    ],
    [{ file: "heartbeat-ms = 1.5" }, /q.toml: heartbeat-ms: must be a whole number/],
    [{ file: 'heartbeat-ms = "5"' }, /must be a number/],
    [{ file: "name = 1" }, /must be text/],
    [{ file: "members = 1" }, /must be a list/],
    [{ file: '[[members]]\nname = "1"' }, /q.toml: members \(0\.peer\): is missing/],
    [{ file: "members = [1]" }, /members \(0\): must be a table with name, peer and client/],
    [{ file: 'rejoin = "yes"' }, /must be true or false/],
    [{ file: "name = " }, /q.toml, line 1: Invalid TOML/],
    [{ file: "a = 1\na = 2" }, /q.toml, line 2/],
    [
      { argv: ["--config", "missing.toml"] },
      /cannot read the configuration missing.toml: no such file/,
    ],
    [{ argv: ["--name", "a b"] }, /must be 1 to 63 letters/],
    [{ argv: ["--name", ""] }, /must be 1 to 63 letters/],
    [{ argv: ["--log-level", "loud"] }, /must be one of debug, info, warn, error, silent/],
    [{ argv: ["--rejoin=maybe"] }, /"maybe" is not true or false/],
    [{ argv: ["--tree-bytes-max", "lots"] }, /is not a number of bytes/],
    [
      { argv: ["--tree-bytes-max", `${WIRE_NUMBER_MAX + 1}`] },
      /--tree-bytes-max: must be at most 9007194959773695/,
    ],
    [{ argv: ["--member", "1=127.0.0.1:7101"] }, /is not NAME=PEER,CLIENT/],
    [{ argv: ["--member", "1=127.0.0.1:0,127.0.0.1:1"] }, /use a number from 1 to 65535/],
    [{ argv: ["--member", "1=127.0.0.1:65536,127.0.0.1:1"] }, /use a number from 1 to 65535/],
    [
      { argv: ["--member", "1=127.0.0.1,127.0.0.1:1"] },
      /peer address of member 1.*write host:port/,
    ],
    [{ argv: ["--member", "1=300.0.0.1:7,a:1"] }, /write host:port/],
    [{ argv: ["--member", "1=a:1|a:1,a:2"] }, /names an address twice/],
    [{ argv: [...THREE, "--member", "3=b:1,b:2", "--name", "1"] }, /two members are named 3/],
    [{ argv: [...THREE, "--member", "4=b:1,127.0.0.1:7101", "--name", "1"] }, /members 1 and 4/],
    [{ argv: ["--member", "1=a:1,a:1"] }, /member 1 twice/],
    [{ argv: THREE }, /say with --name which of the members \(1, 2, 3\)/],
    [{ argv: [...THREE, "--name", "4"] }, /named 4, but the members are 1, 2, 3/],
    [{ argv: ["--heartbeat-ms", "50", "--tick-ms", "20"] }, /multiples of tick-ms \(20\)/],
    [{ argv: ["--election-timeout-ms", "200"] }, /at least 3 times heartbeat-ms/],
    [{ argv: ["--session-timeout-min-ms", "500"] }, /lie between 1000 and 600000/],
    [
      { argv: ["--session-timeout-min-ms", "9000", "--session-timeout-max-ms", "8000"] },
      /must rise/,
    ],
    [{ argv: ["--disk-reserve-bytes", "1GiB"] }, /disk-free-bytes-min must be above/],
    [{ argv: ["--memory-log-bytes-max", "1MiB"] }, /memory-log-bytes-max/],
    [{ argv: ["--allowed-origins", "https://a.example/"] }, /is no origin/],
    [{ argv: ["--allowed-origins", "*"] }, /is no origin/],
    [{ argv: ["--allowed-origins", "null"] }, /is no origin/],
    [{ argv: ["--repair", "maybe"] }, /--repair: "maybe" is not true or false$/],
    [
      { argv: ["--member", "1=10.0.0.1:7|10.1.0.1:7,10.0.0.1:8", "--insecure"] },
      /several peer addresses; say with --peer-listen/,
    ],
  ])("%o", (input, message) => {
    const error = failure(input);
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toMatch(message);
  });

  test("more names and addresses than an identity keeps", () => {
    const host = (label: string): string => `${label}.`.padEnd(215, "x.") + "example";
    const member = (n: number, addresses: number): string => {
      const peers = Array.from({ length: addresses }, (_, k) => `${host(`p${n}-${k}`)}:7101`);
      return `${n}=${peers.join("|")},${host(`c${n}`)}:7001`;
    };
    const argv = (addresses: number, ...more: readonly string[]): readonly string[] => [
      ...["--insecure", "--name", "1", "--peer-listen", "0.0.0.0:7101"],
      ...["--client-listen", "0.0.0.0:7001", ...more],
      ...Array.from({ length: 15 }, (_, at) => ["--member", member(at + 1, addresses)]).flat(),
    ];
    expect(parse({ argv: argv(2) }).members).toHaveLength(15);
    const own = Array.from({ length: 4 }, (_, k) => `${host(`a${k}`)}:7101`).join("|");
    for (const tooLong of [argv(4), argv(2, "--peer-advertise", own)]) {
      const error = failure({ argv: tooLong });
      expect(error.code).toBe("CONFIG_INVALID");
      expect(error.message).toMatch(/take \d+ bytes .* fewer or shorter addresses/);
    }
  });

  test("whatever is written, the answer is a configuration or a ServerError", () => {
    const argument = fc.oneof(
      fc.constantFrom(...OPTIONS.map(flagOf), "--config", "--", "-", "=", "--name="),
      fc.string({ maxLength: 12 }),
      fc.constantFrom("1=a:1,b:2", "true", "5", "127.0.0.1:7001", "[::1]:7001"),
    );
    fc.assert(
      fc.property(
        fc.array(argument, { maxLength: 6 }),
        fc.string({ maxLength: 40 }),
        (argv, file) => {
          try {
            parse({ argv, file });
          } catch (error) {
            expect(error).toBeInstanceOf(ServerError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("listeners", () => {
  test("beyond loopback need --insecure, and are warned about at every start", () => {
    const argv = ["--member", "1=10.0.0.1:7101,10.0.0.1:7001"];
    const error = failure({ argv });
    expect(error.code).toBe("INSECURE_ADDRESS");
    expect(error.message).toContain("10.0.0.1:7101");
    const config = parse({ argv: [...argv, "--insecure"] });
    expect(config.warnings).toHaveLength(2);
    expect(config.warnings[1]).toContain("10.0.0.1:7001");
  });

  test("each listener counts by itself", () => {
    const argv = ["--client-listen", "0.0.0.0:7001", "--client-advertise", "a.example:7001"];
    expect(failure({ argv }).message).toContain("client listener 0.0.0.0:7001");
    expect(parse({ argv: [...argv, "--insecure"] }).warnings).toHaveLength(1);
  });

  test("an address that nobody can dial is not advertised", () => {
    const error = failure({ argv: ["--client-listen", "0.0.0.0:7001", "--insecure"] });
    expect(error.message).toContain("say with --client-advertise");
  });

  test("a node may listen elsewhere than it is reached", () => {
    const config = parse({
      argv: [
        "--member=1=10.0.0.1:7101|10.1.0.1:7101,a.example:443",
        "--peer-listen=0.0.0.0:7101",
        "--client-listen=[::1]:7001",
        "--insecure",
      ],
    });
    expect(config.peer).toEqual({
      listen: { host: "0.0.0.0", port: 7101 },
      advertise: "10.0.0.1:7101|10.1.0.1:7101",
    });
    expect(config.client.listen).toEqual({ host: "::1", port: 7001 });
    expect(config.client.advertise).toBe("a.example:443");
  });

  test.each([
    ["127.0.0.1", true],
    ["127.255.255.254", true],
    ["::1", true],
    ["0:0:0:0:0:0:0:1", true],
    ["::ffff:127.0.0.1", true],
    ["localhost", true],
    ["LocalHost", true],
    ["128.0.0.1", false],
    ["0.0.0.0", false],
    ["::", false],
    ["::2", false],
    ["1::1", false],
    ["::ffff:10.0.0.1", false],
    ["localhost.example", false],
    ["127.0.0.1.example", false],
    ["127.1", false],
  ])("%s is loopback: %s", (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });

  test.each([
    "127.1:80",
    "1.2.3:80",
    "a b:80",
    ":80",
    "::1:80",
    "[a]:80",
    "a..b:80",
    "a:8o",
    "é:80",
  ])("%s is no address", (text) => {
    expect(() => parseHostPort(text, "x")).toThrow(/CONFIG_INVALID/);
  });
});

describe("suggestions", () => {
  test("edit distance counts swaps as one", () => {
    expect(editDistance("name", "nmae")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
    expect(editDistance("kitten", "sitting")).toBe(3);
  });

  test("a beginning that many names have, or that says too little, suggests none of them", () => {
    expect(didYouMean("disk", ["disk-free-bytes-min", "disk-reserve-bytes"])).toBe("");
    expect(didYouMean("--d", ["--data-directory"])).toBe("");
  });

  test("nothing is suggested for what is far away or endless", () => {
    expect(didYouMean("zzzzzz", ["name"])).toBe("");
    expect(didYouMean("x".repeat(10_000), ["name"])).toBe("");
  });
});

describe("limits", () => {
  test("the defaults fit each other", () => {
    expect(() => validateLimits(SERVER_LIMITS)).not.toThrow();
  });

  test.each<[string, (limits: typeof SERVER_LIMITS) => object]>([
    ["entry", (l) => ({ raft: { ...l.raft, entryBytesMax: l.client.frameBytesMax } })],
    [
      "largest appendEntries",
      (l) => ({ peer: { ...l.peer, frameBytesMax: l.raft.entryBytesMax } }),
    ],
    [
      "pending proposals",
      (l) => ({ proposals: { ...l.proposals, pendingBytesMax: l.peer.frameBytesMax } }),
    ],
    ["whole frame", (l) => ({ peer: { ...l.peer, queueBytesMax: l.peer.frameBytesMax - 1 } })],
    ["leader's queue", (l) => ({ intake: { ...l.intake, bytesMax: l.proposals.pendingBytesMax } })],
    ["in flight", (l) => ({ raft: { ...l.raft, inflightBytesMax: l.raft.appendBytesMax - 1 } })],
    ["uncommitted", (l) => ({ raft: { ...l.raft, uncommittedBytesMax: 1000 } })],
    ["above 0", (l) => ({ disk: { ...l.disk, reserveBytes: 0 } })],
    ["above 0", (l) => ({ tree: { ...l.tree, bytesMax: Number.NaN } })],
  ])("a relation that does not hold is named: %s", (relation, change) => {
    const limits = { ...SERVER_LIMITS, ...change(SERVER_LIMITS) };
    expect(() => validateLimits(limits)).toThrow(relation);
  });

  test.each([
    ["tree-bytes-max", SERVER_LIMITS.raft.entryBytesMax],
    ["memory-log-bytes-max", SERVER_LIMITS.raft.inflightBytesMax],
  ])(
    "a setting that is too low for the others is told with the least that would do: %s",
    (name, least) => {
      const given = (bytes: number) => parse({ argv: [`--${name}`, String(bytes)] });
      expect(() => given(least - 1)).toThrow(`${name} must be at least ${least}`);
      expect(() => given(least)).not.toThrow();
    },
  );
});
