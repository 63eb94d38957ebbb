import {
  QuorateError,
  type ConnectOptions,
  type QuorateErrorCode,
  type Watch,
  type Zxid,
} from "@quorate/client";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FakeClient } from "../../../tests/support/client/fake-client.ts";
import type { CliContext, TextSink } from "./context.ts";
import { EXIT_CODES } from "./exit-code.ts";
import { runCli } from "./run-cli.ts";

describe("the command line", () => {
  test.each([
    [["--help"], EXIT_CODES.ok],
    [["--version"], EXIT_CODES.ok],
    [["help", "lock"], EXIT_CODES.ok],
    [[], EXIT_CODES.usage],
    [["no-such-command"], EXIT_CODES.usage],
    [["get"], EXIT_CODES.usage],
    [["get", "/a", "/b"], EXIT_CODES.usage],
    [["get", "/a", "--no-such-option"], EXIT_CODES.usage],
    [["get", "/a", "--timeout", "soon"], EXIT_CODES.usage],
    [["get", "/a", "--timeout", "-1"], EXIT_CODES.usage],
    [["get", "/a", "--servers", "nonsense"], EXIT_CODES.usage],
    [["set", "/a"], EXIT_CODES.usage],
    [["set", "/a", "x", "--if-version", "1.5"], EXIT_CODES.usage],
    [["set", "/a", "???", "--base64"], EXIT_CODES.usage],
    [["create", "/a", "x", "--file", "y"], EXIT_CODES.usage],
    [["create", "/a", "--file", "y"], EXIT_CODES.usage],
    [["lock", "name"], EXIT_CODES.usage],
    [["dev", "--nodes", "4"], EXIT_CODES.usage],
    [["dev", "--port", "0"], EXIT_CODES.usage],
    [["wal", "dump", "no-such-folder"], EXIT_CODES.usage],
    [["wal", "verify", "."], EXIT_CODES.usage],
    [["snapshot", "save", "."], EXIT_CODES.usage],
    [["watch", "/a", "-n", "0"], EXIT_CODES.usage],
    [["delete", "/"], EXIT_CODES.usage],
  ])("%j exits with %i", async (argv, exitCode) => {
    const world = new FakeWorld();
    expect(await runCli(argv, world.context)).toBe(exitCode);
    expect(world.out.text + world.err.text).not.toBe("");
  });

  test.each(["lock", "elect"])("%s says how a command gets its own options", async (verb) => {
    const world = new FakeWorld();
    expect(await runCli([verb, "backup", "ls", "-l"], world.context)).toBe(EXIT_CODES.usage);
    expect(world.err.text).toContain(`quorate ${verb} NAME -- ls -l`);
  });

  test("shows every exit code in its help", async () => {
    const world = new FakeWorld();
    await runCli(["--help"], world.context);
    for (const code of Object.values(EXIT_CODES)) expect(world.out.text).toContain(` ${code}  `);
    expect(world.out.text).toMatch(/ 6 {2}damage found by .*snapshot restore, recover/);
  });

  test.each(["no-such-file", "."])("snapshot verify %s says what to name", async (file) => {
    const world = new FakeWorld();
    expect(await runCli(["snapshot", "verify", file], world.context)).toBe(EXIT_CODES.usage);
    expect(world.err.text).toContain("name one that `quorate snapshot save` wrote");
  });
});

describe("errors", () => {
  test("of a status that something else answers do not ask whether it runs", async () => {
    const world = new FakeWorld();
    world.statuses.set("127.0.0.1:7001", "<html>");
    const argv = ["status", "--servers", "127.0.0.1:7001,127.0.0.1:7002"];
    expect(await runCli(argv, world.context)).toBe(EXIT_CODES.unavailable);
    expect(world.err.text).toContain("something else listens there");
    expect(world.err.text).not.toContain("is it running");
  });

  test.each<[QuorateErrorCode, number]>([
    ["NO_NODE", EXIT_CODES.notFound],
    ["BAD_VERSION", EXIT_CODES.conflict],
    ["NODE_EXISTS", EXIT_CODES.conflict],
    ["NOT_EMPTY", EXIT_CODES.conflict],
    ["FENCED", EXIT_CODES.conflict],
    ["BAD_PATH", EXIT_CODES.usage],
    ["TIMEOUT", EXIT_CODES.timedOut],
    ["CONNECTION_FAILED", EXIT_CODES.unavailable],
    ["NOT_READY", EXIT_CODES.unavailable],
    ["WRONG_PORT", EXIT_CODES.usage],
    ["SESSION_EXPIRED", EXIT_CODES.lost],
    ["TREE_FULL", EXIT_CODES.failed],
    ["INTERNAL", EXIT_CODES.failed],
  ])("%s exits with %i and says it", async (code, exitCode) => {
    const world = new FakeWorld();
    world.failWith(new QuorateError(code, "told by the service"));
    expect(await runCli(["get", "/a"], world.context)).toBe(exitCode);
    // And what to do next.
    expect(world.err.text).toMatch(new RegExp(`^error: ${code}: told by the service\n  \\S.*\n$`));
    expect(world.out.text).toBe("");
  });

  test("what is not there is told with how to make it", async () => {
    const world = new FakeWorld();
    world.failWith(new QuorateError("NO_NODE", "there is none"));
    await runCli(["get", "/a"], world.context);
    expect(world.err.text).toContain("`quorate create --parents` makes it");
  });

  test.each([
    ["--file", "no-such-file"],
    ["???", "--base64"],
    ["data", "--file", "no-such-file"],
    [],
  ])("data that cannot be taken are told with what to give: %s %s", async (...data) => {
    const world = new FakeWorld();
    expect(await runCli(["set", "/a", ...data], world.context)).toBe(EXIT_CODES.usage);
    expect(world.err.text).toMatch(/^error: .*\n  \S.*\n$/);
  });

  test("what is no path is told with all that a path must not be", async () => {
    for (const path of ["relative", "/with\ttab", `/${"x".repeat(256)}`]) {
      const world = new FakeWorld();
      expect(await runCli(["get", path], world.context)).toBe(EXIT_CODES.usage);
      expect(world.err.text).toMatch(
        /absolute.*no control characters.*1024 bytes, 255 a component/,
      );
    }
  });

  test("say what to do next", async () => {
    const world = new FakeWorld();
    world.failWith(new QuorateError("CONNECTION_FAILED", "nobody there"));
    await runCli(["get", "/a"], world.context);
    expect(world.err.text).toContain("quorate dev");
  });

  test("say that the disks are full where that keeps clients out", async () => {
    const world = new FakeWorld();
    const cause = new QuorateError("DISK_FULL", "no session can be opened now");
    world.failWith(new QuorateError("CONNECTION_FAILED", "no server took it", { cause }));
    expect(await runCli(["get", "/a"], world.context)).toBe(EXIT_CODES.unavailable);
    expect(world.err.text).toContain("free disk space on the servers");
    expect(world.err.text).not.toContain("is it running");
  });

  test("say that there are too many sessions where that keeps clients out, and nowhere else", async () => {
    const world = new FakeWorld();
    const cause = new QuorateError("TREE_FULL", "there are too many");
    world.failWith(cause);
    expect(await runCli(["set", "/a", "x"], world.context)).toBe(EXIT_CODES.failed);
    expect(world.err.text).toMatch(/\n  delete what is not needed; deletes always pass\n$/);
    world.failWith(new QuorateError("CONNECTION_FAILED", "no server took it", { cause }));
    expect(await runCli(["get", "/a"], world.context)).toBe(EXIT_CODES.unavailable);
    expect(world.err.text).toMatch(
      /\n  there are as many sessions as `sessions-max` allows: .*\n$/,
    );
  });

  test("say so when the outcome is not known", async () => {
    const world = new FakeWorld();
    world.failWith(new QuorateError("TIMEOUT", "no answer", { outcomeUnknown: true }));
    await runCli(["set", "/a", "x"], world.context);
    expect(world.err.text).toContain("(it may have taken effect)");
  });

  test.each([
    ["NO_NODE", ["get", "/nothing", "--json"]],
    ["NO_NODE", ["stat", "/nothing", "--json"]],
    ["BAD_PATH", ["get", "nothing", "--json"]],
    ["NO_SERVER", ["status", "--json"]],
    ["NO_BACKUP", ["snapshot", "save", "no-such-file", "--json"]],
    ["USAGE", ["snapshot", "save", ".", "--json"]],
    ["USAGE", ["get", "/a", "--servers", "nonsense", "--json"]],
    ["USAGE", ["get", "/a", "--servers", "", "--json"]],
    ["USAGE", ["get", "/a", "--servers", ",", "--json"]],
    ["USAGE", ["get", "--json"]],
    ["USAGE", ["get", "/a", "--json", "--no-such-option"]],
    ["USAGE", ["no-such-command", "--json"]],
    ["USAGE", ["wal", "dump", "--json"]],
  ])("are JSON when the output is, with %s for %j", async (code, argv) => {
    const world = new FakeWorld();
    const exitCode = await runCli(argv, world.context);
    expect(JSON.parse(world.err.text)).toMatchObject({ error: { code, exitCode } });
  });
});

describe("connecting", () => {
  test("goes to the servers of the option, else of the environment, else of `quorate dev`", async () => {
    const world = new FakeWorld();
    await runCli(["ls"], world.context);
    expect(world.connected?.servers).toEqual([
      "127.0.0.1:7001",
      "127.0.0.1:7002",
      "127.0.0.1:7003",
    ]);
    world.env["QUORATE_SERVERS"] = "one:1, two:2";
    await runCli(["ls"], world.context);
    expect(world.connected?.servers).toEqual(["one:1", "two:2"]);
    await runCli(["ls", "--servers", "wss://three:3,[::1]:4"], world.context);
    expect(world.connected?.servers).toEqual(["wss://three:3", "[::1]:4"]);
  });

  test.each([
    ["get", "a"],
    ["stat", "/a/"],
    ["ls", "a"],
    ["create", "//a"],
    ["set", "/a/../b", "x"],
    ["delete", "a", "--recursive"],
    ["watch", "a"],
    ["lock", "a//b", "--", "true"],
    ["elect", "a/", "--", "true"],
  ])("is not tried for what is no path: %s %s", async (...argv) => {
    const world = new FakeWorld();
    expect(await runCli(argv, world.context)).toBe(EXIT_CODES.usage);
    expect(world.err.text).toContain("BAD_PATH");
    expect(world.connected).toBeNull();
  });

  test("ends with the session closed, also after an error", async () => {
    const world = new FakeWorld();
    await runCli(["get", "/nothing"], world.context);
    expect(world.client.isClosed).toBe(true);
  });
});

describe("reading and writing", () => {
  test("create, get, set, ls, stat and delete", async () => {
    const world = new FakeWorld();
    expect(await world.run("create", "/a", "one")).toBe("/a\n");
    expect(await world.run("create", "/a/b/c", "deep", "--parents")).toBe("/a/b/c\n");
    expect(await world.run("get", "/a")).toBe("one\n");
    expect(await world.run("set", "/a", "two", "--if-version", "0")).toBe("version 1\n");
    expect(await world.run("ls", "/a")).toBe("b\n");
    expect(await world.run("ls", "/", "--long")).toMatch(/^NAME .*\na +1 +3 +1 +- +1970-/);
    expect(await world.run("stat", "/a")).toMatch(/^\/a\nversion +1\nbytes +3\n/);
    expect(await world.run("delete", "/a", "--recursive")).toBe("deleted 3\n");
    expect(await world.run("ls")).toBe("");
    expect(await runCli(["stat", "/a"], world.context)).toBe(EXIT_CODES.notFound);
  });

  test("delete of the root, which stays, takes nothing below it either", async () => {
    const world = new FakeWorld();
    await world.run("create", "/a", "one");
    expect(await runCli(["delete", "/", "--recursive"], world.context)).toBe(EXIT_CODES.usage);
    expect(await world.run("ls")).toBe("a\n");
  });

  test("JSON output is one value a line", async () => {
    const world = new FakeWorld();
    await world.run("create", "/a", "one");
    expect(JSON.parse(await world.run("get", "/a", "--json"))).toMatchObject({
      path: "/a",
      data: "one",
      encoding: "utf8",
      stat: { version: 0 },
    });
    expect(JSON.parse(await world.run("ls", "--json"))).toMatchObject({ names: ["a"] });
  });

  test("data that are no text are printed as base64 with a note, or raw", async () => {
    const world = new FakeWorld();
    await world.run("create", "/bin", "/wD+", "--base64");
    expect(await world.run("get", "/bin")).toBe("/wD+\n");
    expect(world.err.text).toContain("--raw");
    expect(JSON.parse(await world.run("get", "/bin", "--json"))).toMatchObject({
      data: "/wD+",
      encoding: "base64",
    });
    await runCli(["get", "/bin", "--raw"], world.context);
    expect([...(world.out.bytes.at(-1) ?? [])]).toEqual([255, 0, 254]);
  });

  test("data come from standard input, too", async () => {
    const world = new FakeWorld();
    world.input = "typed";
    await world.run("create", "/a", "-");
    expect(await world.run("get", "/a")).toBe("typed\n");
  });
});

describe("watch", () => {
  test("whose session expires says where to go on", async () => {
    const world = new FakeWorld();
    world.client.states = () => ({
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
    });
    world.client.watch = async (path) => watchOf(path, JSON.parse("7"));
    expect(await runCli(["watch", "/a"], world.context)).toBe(EXIT_CODES.lost);
    expect(world.out.text).toBe("zxid 7 dataChanged /a\n");
    expect(world.err.text).toContain("--since 7\n");
  });

  /** One change, then the end of the session. */
  function watchOf(path: string, zxid: Zxid): Watch {
    const close = async (): Promise<void> => undefined;
    return {
      path,
      mode: "persistent",
      close,
      [Symbol.asyncDispose]: close,
      async *[Symbol.asyncIterator]() {
        yield { type: "event", kind: "dataChanged", path, zxid };
        throw new QuorateError("SESSION_EXPIRED", "no proof of life in time");
      },
    };
  }
});

describe("status", () => {
  test("shows every server and fails without a leader", async () => {
    const world = new FakeWorld();
    world.statuses.set("a:1", statusOf({ name: "1", role: "leader", leader: "1" }));
    world.statuses.set("b:2", statusOf({ name: "2", role: "follower", leader: "1" }));
    expect(await runCli(["status", "-s", "a:1,b:2"], world.context)).toBe(EXIT_CODES.ok);
    expect(world.out.text).toMatch(/a:1 +1 +leader +1 +3 +9 .*yes\nb:2 +2 +follower/);

    const silent = await runCli(["status", "-s", "a:1,b:2,c:3"], world.context);
    expect(silent).toBe(EXIT_CODES.unavailable);
    expect(world.err.text).toContain("c:3 did not answer; the ensemble serves without");
    expect(world.err.text).toContain("see `quorate member ls`");

    world.statuses.delete("a:1");
    expect(await runCli(["status", "-s", "a:1,b:2"], world.context)).toBe(EXIT_CODES.unavailable);
    expect(world.err.text).toContain("a:1 did not answer; the others follow node 1");

    world.statuses.set("b:2", statusOf({ name: "2", role: "preCandidate", leader: null }));
    expect(await runCli(["status", "-s", "b:2"], world.context)).toBe(EXIT_CODES.unavailable);
    expect(world.err.text).toContain("no leader");
  });

  test("warns where the servers are of several ensembles, or of several histories of one", async () => {
    const world = new FakeWorld();
    const one = { name: "1", role: "leader", leader: "1" };
    world.statuses.set("a:1", statusOf(one));
    world.statuses.set("b:2", statusOf({ ...one, clusterId: "d", historyId: "d-1" }));
    world.statuses.set("c:3", statusOf({ ...one, historyId: "c-2" }));
    world.statuses.set(
      "d:4",
      statusOf({ name: "4", role: "forming", leader: null, clusterId: "", historyId: "" }),
    );
    await runCli(["status", "-s", "a:1,b:2"], world.context);
    expect(world.err.text).toContain(
      "warning: these servers are of 2 ensembles: a:1 of c; b:2 of d\n",
    );
    expect(world.err.text).toContain("--servers");
    const before = world.err.text.length;
    await runCli(["status", "-s", "a:1,c:3"], world.context);
    expect(world.err.text.slice(before)).toContain(
      "warning: these servers are of 2 histories of one ensemble: a:1 of c-1; c:3 of c-2\n",
    );
    expect(world.err.text.slice(before)).toContain("stop");
    const after = world.err.text.length;
    await runCli(["status", "-s", "a:1,d:4"], world.context);
    expect(world.err.text.slice(after)).not.toContain("warning");
  });

  test("says what nodes wait for that are no part of an ensemble yet", async () => {
    const world = new FakeWorld();
    const notReady = ["waiting for 2 to form the ensemble"];
    const forming = { name: "1", role: "forming", leader: null, clusterId: "", historyId: "" };
    world.statuses.set("a:1", statusOf({ ...forming, notReady }));
    expect(await runCli(["status", "-s", "a:1,b:2"], world.context)).toBe(EXIT_CODES.unavailable);
    expect(world.err.text).toContain("note: a:1: node 1 is waiting for 2 to form the ensemble\n");
    expect(world.err.text).toMatch(/error: none of these servers is part .*\n.*start b:2; /);
    const before = world.err.text.length;
    world.statuses.set("b:2", statusOf({ name: "2", role: "leader", leader: "2" }));
    expect(await runCli(["status", "-s", "a:1,b:2"], world.context)).toBe(EXIT_CODES.ok);
    expect(world.err.text.slice(before)).toMatch(/^note: a:1: node 1 is waiting .*\n$/);
  });

  test("of a follower alone is well while it knows a leader", async () => {
    const world = new FakeWorld();
    world.statuses.set("b:2", statusOf({ name: "2", role: "follower", leader: "1" }));
    expect(await runCli(["status", "-s", "b:2"], world.context)).toBe(EXIT_CODES.ok);
    expect(world.err.text).toBe("");
  });
});

describe("a log", () => {
  test("of which nothing is left is damage, not a log without damage", async () => {
    const directory = mkdtempSync(join(tmpdir(), "quorate-wal-"));
    try {
      mkdirSync(join(directory, "log"));
      for (const what of ["verify", "dump"]) {
        const world = new FakeWorld();
        expect(await runCli(["wal", what, directory], world.context)).toBe(EXIT_CODES.damaged);
        expect(world.err.text).toContain("there is no segment in");
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

class FakeSink implements TextSink {
  readonly isTerminal = false;
  readonly columns = 80;
  readonly bytes: Uint8Array[] = [];
  text = "";

  write(text: string | Uint8Array): void {
    if (typeof text === "string") this.text += text;
    else this.bytes.push(text);
  }
}

/** Everything outside the command line, in memory. */
class FakeWorld {
  readonly out = new FakeSink();
  readonly err = new FakeSink();
  readonly env: Record<string, string> = {};
  readonly client = new FakeClient();
  readonly statuses = new Map<string, string>();
  connected: ConnectOptions | null = null;
  input = "";

  get context(): CliContext {
    return {
      env: this.env,
      workingDirectory: tmpdir(),
      out: this.out,
      err: this.err,
      isInputTerminal: false,
      ask: async () => null,
      readInput: async () => new TextEncoder().encode(this.input),
      readFile: () => Promise.reject(new Error("no such file")),
      connect: async (options) => {
        this.connected = options;
        return this.client;
      },
      fetchText: async (url) => {
        const body = this.statuses.get(url.replace(/^http:\/\/|\/status$/g, ""));
        if (body === undefined) throw new Error("nobody there");
        return { status: 200, body };
      },
      postJson: () => Promise.reject(new Error("nobody there")),
      postStream: () => Promise.reject(new Error("nobody there")),
      spawn: () => {
        throw new Error("nothing is started here");
      },
      onSignal: () => ({ [Symbol.dispose]: () => undefined }),
    };
  }

  failWith(error: QuorateError): void {
    this.client.error = error;
  }

  /** Runs a command that must succeed; what it printed. */
  async run(...argv: readonly string[]): Promise<string> {
    const before = this.out.text.length;
    expect([await runCli(argv, this.context), this.err.text]).toEqual([
      EXIT_CODES.ok,
      this.err.text,
    ]);
    return this.out.text.slice(before);
  }
}

function statusOf(fields: {
  readonly name: string;
  readonly role: string;
  readonly leader: string | null;
  readonly clusterId?: string;
  readonly historyId?: string;
  readonly notReady?: readonly string[];
}): string {
  return JSON.stringify({
    nodeId: 1,
    term: 3,
    zxid: 9,
    appliedIndex: 9,
    checkpointZxid: 9,
    digest: "d",
    sessions: 1,
    connections: 1,
    znodes: 2,
    treeBytes: 100,
    clusterId: "c",
    historyId: "c-1",
    notReady: [],
    warnings: [],
    ...fields,
  });
}
