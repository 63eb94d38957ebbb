import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { CliContext, EndSignal, TextSink } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { runCli } from "../run-cli.ts";

class FakeSink implements TextSink {
  readonly isTerminal = false;
  readonly columns = 80;
  text = "";

  write(text: string | Uint8Array): void {
    this.text += String(text);
  }
}

type Role = "voter" | "learner" | "leaving";
interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const TOLERANCE = { voters: ["1", "2"], learners: [], quorum: 2, tolerates: 0, reachable: 2 };
const BEGUN = { step: "propose", before: TOLERANCE, after: TOLERANCE };

/** The HTTP side of an ensemble whose leader is at `l:1`; a follower at `f:1` knows of it. */
class FakeEnsemble {
  readonly out = new FakeSink();
  readonly err = new FakeSink();
  readonly posts: { readonly server: string; readonly path: string; readonly value: unknown }[] =
    [];
  readonly members = new Map<string, { role: Role; behind: number; isActive: boolean }>([
    ["1", { role: "voter", behind: 0, isActive: true }],
    ["2", { role: "voter", behind: 7, isActive: true }],
  ]);
  joining: readonly string[] = [];
  invited: readonly string[] = [];
  hasLeader = true;
  /** Never answers. */
  hanging = "";
  abandoned = 0;
  answer: Answer = { status: 200, body: BEGUN };
  /** Called at each look at the leader's status. */
  onLook: (look: number) => void = () => undefined;
  signal: (signal: EndSignal) => void = () => undefined;
  #looks = 0;

  run(...argv: readonly string[]): Promise<number> {
    const named = argv.includes("--servers") ? [] : ["--servers", "f:1"];
    return runCli([...argv, ...named, "--timeout", "1"], this.#context);
  }

  get #context(): CliContext {
    const unused = (): never => {
      throw new Error("not in this double");
    };
    return {
      env: {},
      workingDirectory: tmpdir(),
      out: this.out,
      err: this.err,
      isInputTerminal: false,
      ask: unused,
      readInput: unused,
      readFile: unused,
      connect: unused,
      spawn: unused,
      postStream: unused,
      fetchText: (url, timeoutMs, signal) => this.#fetch(serverOf(url), timeoutMs, signal),
      postJson: async (url, value, timeoutMs) => {
        if (serverOf(url) === this.hanging) await sleep(timeoutMs);
        const { status, body } = this.#post(
          serverOf(url),
          url.replace(/^http:\/\/[^/]+/, ""),
          value,
        );
        return { status, body: JSON.stringify(body) };
      },
      onSignal: (callback) => {
        this.signal = callback;
        return { [Symbol.dispose]: () => undefined };
      },
    };
  }

  async #fetch(server: string, timeoutMs: number, signal: AbortSignal | undefined) {
    if (server === this.hanging) {
      await new Promise((_resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("no answer")), timeoutMs);
        signal?.addEventListener("abort", () => {
          clearTimeout(timer);
          this.abandoned += 1;
          reject(new Error("abandoned"));
        });
      });
    }
    return { status: 200, body: JSON.stringify(this.#status(server)) };
  }

  #post(server: string, path: string, value: unknown): Answer {
    this.posts.push({ server, path, value });
    if (server === "l:1" && this.hasLeader) return this.answer;
    const leader = this.hasLeader ? "l:1" : null;
    return { status: 421, body: { code: "NOT_LEADER", message: "does not lead", leader } };
  }

  #status(server: string): unknown {
    const isLeader = server === "l:1" && this.hasLeader;
    if (isLeader) {
      this.onLook(this.#looks);
      this.#looks += 1;
    }
    const members = [...this.members].map(([name], at) => ({
      id: at + 1,
      name,
      peerAddress: `${name}:peer`,
      clientAddress: name === "1" ? "l:1" : `${name}:client`,
    }));
    const idsOf = (role: Role): readonly number[] =>
      members.filter(({ name }) => this.members.get(name)?.role === role).map(({ id }) => id);
    return {
      ...{ name: isLeader ? "1" : "2", nodeId: 1, role: isLeader ? "leader" : "follower" },
      ...{
        term: 3,
        leader: "1",
        zxid: 9,
        appliedIndex: 9,
        checkpointZxid: 9,
        digest: "d",
        sessions: 1,
      },
      ...{ connections: 1, znodes: 2, treeBytes: 100, clusterId: "c", historyId: "c-1" },
      ...{ notReady: [], warnings: [] },
      membership: {
        voters: idsOf("voter"),
        outgoingVoters: idsOf("leaving"),
        learners: idsOf("learner"),
        members,
      },
      peers: isLeader
        ? [...this.members].slice(1).map(([name, { behind, isActive }]) => ({
            ...{ name, behind, isActive },
            state: "replicate",
          }))
        : [],
      joining: isLeader ? this.joining : [],
      invited: isLeader ? this.invited : [],
    };
  }
}

function serverOf(url: string): string {
  return url.replace(/^http:\/\//, "").replace(/\/.*$/, "");
}

describe("member ls", () => {
  test.each(["f:1,h:1", "l:1,h:1", "h:1,f:1"])("of %s waits for nobody who hangs", async (list) => {
    const ensemble = new FakeEnsemble();
    ensemble.hanging = "h:1";
    expect(await ensemble.run("member", "ls", "--servers", list)).toBe(EXIT_CODES.ok);
    expect(ensemble.out.text).toContain("1:peer");
    expect(ensemble.abandoned).toBe(1);
  });

  test("shows what the leader sees, though only a follower was named", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.joining = ["4"];
    ensemble.invited = ["5"];
    expect(await ensemble.run("member", "ls")).toBe(EXIT_CODES.ok);
    expect(ensemble.out.text.split("\n").map((line) => line.split(/\s{2,}/))).toEqual([
      ["NAME", "ROLE", "ID", "PEERS", "CLIENTS", "BEHIND"],
      ["1", "leader", "1", "1:peer", "l:1", "0"],
      ["2", "voter", "2", "2:peer", "2:client", "7"],
      ["4", "asks to join", "-", "-", "-", "-"],
      ["5", "invited", "-", "-", "-", "-"],
      [""],
    ]);
    expect(ensemble.err.text).toContain("quorate member add 4");
  });

  test("says so where nobody leads", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.hasLeader = false;
    expect(await ensemble.run("member", "ls")).toBe(EXIT_CODES.unavailable);
    expect(ensemble.err.text).toContain("quorate status");
  });
});

describe("a change of the members", () => {
  test.each([
    ["h:1,f:1", ["f:1", "l:1"]],
    ["f:1,h:1,l:1", ["l:1"]],
  ] as const)("given to %s goes to the leader, and to nobody who hangs", async (list, expected) => {
    const ensemble = new FakeEnsemble();
    ensemble.hanging = "h:1";
    const run = ensemble.run("member", "remove", "2", "--no-wait", "--servers", list);
    expect(await run).toBe(EXIT_CODES.ok);
    expect(ensemble.posts.map(({ server }) => server)).toEqual(expected);
  });

  test("is sent to the leader and waited for, each stage told once", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.invited = ["4"];
    ensemble.onLook = (look) => {
      if (look < 2) return;
      ensemble.invited = [];
      const role = look < 5 ? "learner" : "voter";
      ensemble.members.set("4", { role, behind: look < 4 ? 12 : 1, isActive: look > 2 });
    };
    expect(await ensemble.run("member", "add", "4")).toBe(EXIT_CODES.ok);
    const value = { kind: "add", name: "4", staysLearner: false, dryRun: false };
    expect(ensemble.posts).toEqual([
      { server: "f:1", path: "/members", value },
      { server: "l:1", path: "/members", value },
    ]);
    expect(ensemble.err.text.split("\n")).toEqual([
      "waiting for 4 to come",
      "4 is a learner, and is not heard of",
      "4 is a learner, 12 entries behind",
      "4 is a learner, 1 entry behind",
      "",
    ]);
    expect(ensemble.out.text).toBe("4 votes; 3 voters, of which 1 may fail\n");
  });

  test("is sent again when a new leader knows nothing of the invitation", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.onLook = (look) => {
      if (look === 1) ensemble.members.set("4", { role: "learner", behind: 0, isActive: true });
    };
    expect(await ensemble.run("member", "add", "4", "--learner")).toBe(EXIT_CODES.ok);
    expect(ensemble.posts.filter(({ server }) => server === "l:1")).toHaveLength(2);
    expect(ensemble.out.text).toContain("4 is a learner");
  });

  test("ends when somebody withdraws the invitation meanwhile, and does not give it again", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.invited = ["4"];
    ensemble.onLook = (look) => {
      if (look === 1) ensemble.invited = [];
    };
    expect(await ensemble.run("member", "add", "4")).toBe(EXIT_CODES.notFound);
    expect(ensemble.err.text).toContain("error: the invitation of 4 was withdrawn meanwhile");
    expect(ensemble.err.text).toContain("give the command again");
    expect(ensemble.posts.filter(({ server }) => server === "l:1")).toHaveLength(1);
  });

  test("ends when somebody takes the new member out meanwhile, and says how it comes back", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.invited = ["4"];
    ensemble.onLook = (look) => {
      if (look === 1) {
        ensemble.invited = [];
        ensemble.members.set("4", { role: "learner", behind: 12, isActive: true });
      }
      if (look === 2) ensemble.members.delete("4");
    };
    expect(await ensemble.run("member", "add", "4")).toBe(EXIT_CODES.notFound);
    expect(ensemble.err.text).toContain("error: 4 was taken out again meanwhile");
    expect(ensemble.err.text).toContain("--join");
  });

  test("remove says of who was merely invited that its invitation is withdrawn", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.invited = ["4"];
    ensemble.answer = { status: 200, body: { ...BEGUN, step: "withdraw" } };
    expect(await ensemble.run("member", "remove", "4")).toBe(EXIT_CODES.ok);
    expect(ensemble.out.text).toMatch(/^the invitation of 4 is withdrawn; /);
    const before = ensemble.out.text.length;
    expect(await ensemble.run("member", "remove", "4", "--dry-run")).toBe(EXIT_CODES.ok);
    expect(ensemble.out.text.slice(before)).toMatch(
      /the invitation of 4 would be withdrawn; nothing was changed\n$/,
    );
  });

  test("waits until a member is out, and a joint membership left", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.onLook = (look) => {
      if (look === 1) ensemble.members.set("2", { role: "leaving", behind: 0, isActive: true });
      if (look === 2) ensemble.members.delete("2");
    };
    expect(await ensemble.run("member", "remove", "2")).toBe(EXIT_CODES.ok);
    expect(ensemble.out.text).toBe("2 is out; 1 voter, of which 0 may fail\n");
  });

  test("replaces when the one is out and the other votes", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.members.set("4", { role: "learner", behind: 0, isActive: true });
    ensemble.onLook = (look) => {
      if (look !== 1) return;
      ensemble.members.delete("2");
      ensemble.members.set("4", { role: "voter", behind: 0, isActive: true });
    };
    expect(await ensemble.run("member", "replace", "2", "4", "--json")).toBe(EXIT_CODES.ok);
    expect(JSON.parse(ensemble.out.text)).toMatchObject({
      members: [{ name: "1" }, { name: "4" }],
    });
  });

  test("replaces a learner when the one is out and the other a learner", async () => {
    const ensemble = new FakeEnsemble();
    const after = { ...TOLERANCE, learners: ["4"] };
    ensemble.answer = { status: 200, body: { ...BEGUN, after } };
    ensemble.members.set("3", { role: "learner", behind: 0, isActive: true });
    ensemble.members.set("4", { role: "learner", behind: 0, isActive: true });
    ensemble.onLook = (look) => {
      if (look === 1) ensemble.members.delete("3");
    };
    expect(await ensemble.run("member", "replace", "3", "4")).toBe(EXIT_CODES.ok);
    expect(ensemble.out.text).toBe(
      "4 is a learner in the place of 3; 2 voters, of which 0 may fail\n",
    );
  });

  test("on trial only shows both sides, and what to think over", async () => {
    const ensemble = new FakeEnsemble();
    const after = { voters: ["1"], learners: [], quorum: 1, tolerates: 0, reachable: 1 };
    const before = { voters: ["1", "2", "3"], learners: [], quorum: 2, tolerates: 1, reachable: 3 };
    ensemble.answer = { status: 200, body: { step: "propose", before, after } };
    expect(await ensemble.run("member", "remove", "2", "--dry-run")).toBe(EXIT_CODES.ok);
    expect(ensemble.posts.at(-1)?.value).toMatchObject({ dryRun: true });
    expect(ensemble.out.text).toContain("nothing was changed");
    expect(ensemble.out.text).toMatch(/voters that may fail\s+1\s+0\n/);
    expect(ensemble.err.text).toContain("fewer voters may fail: 0 instead of 1");
  });

  test("may be begun without waiting, or waited for no longer than so", async () => {
    const ensemble = new FakeEnsemble();
    expect(await ensemble.run("member", "remove", "2", "--no-wait")).toBe(EXIT_CODES.ok);
    expect(ensemble.out.text).toContain("begun");
    expect(await ensemble.run("member", "remove", "2", "--wait", "0.01")).toBe(EXIT_CODES.timedOut);
    expect(ensemble.err.text).toContain("quorate member ls");
  });

  test.each([
    [["member", "add", ""]],
    [["member", "add", "a b"]],
    [["member", "remove", "a=b"]],
    [["member", "promote", "-x"]],
    [["member", "replace", "2", "é"]],
    [["leader", "transfer", "a/b"]],
    [["member", "add", "4", "--wait", "1", "--no-wait"]],
    [["member", "add", "4", "--no-wait", "--wait", "1"]],
  ])("of a wrong command line is not tried: %j", async (argv) => {
    const ensemble = new FakeEnsemble();
    expect(await ensemble.run(...argv)).toBe(EXIT_CODES.usage);
    expect(ensemble.posts).toEqual([]);
  });

  test("that has nothing to change says so", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.answer = { status: 200, body: { ...BEGUN, step: "nothing" } };
    const run = async (...flags: readonly string[]): Promise<string> => {
      const before = ensemble.out.text.length;
      expect(await ensemble.run("member", "promote", "2", ...flags)).toBe(EXIT_CODES.ok);
      return ensemble.out.text.slice(before);
    };
    expect(await run("--dry-run")).toMatch(/\n2 votes already; nothing was changed\n$/);
    expect(await run("--no-wait")).toBe("2 votes already\n");
    expect(await run()).toBe("2 votes already; 2 voters, of which 0 may fail\n");
  });

  test("goes on when its command is interrupted", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.onLook = () => ensemble.signal("SIGINT");
    expect(await ensemble.run("member", "remove", "2")).toBe(EXIT_CODES.interrupted);
    expect(ensemble.err.text).toContain("what was begun goes on");
  });

  test.each([
    [404, "MEMBER_UNKNOWN", EXIT_CODES.notFound],
    [409, "MEMBER_EXISTS", EXIT_CODES.conflict],
    [409, "QUORUM_AT_RISK", EXIT_CODES.conflict],
    [400, "REQUEST_INVALID", EXIT_CODES.failed],
    [409, "CHANGE_PENDING", EXIT_CODES.unavailable],
    [503, "NOT_READY", EXIT_CODES.unavailable],
  ])("that is answered with %i %s ends with exit code %i", async (status, code, exitCode) => {
    const ensemble = new FakeEnsemble();
    ensemble.answer = { status, body: { code, message: "told by the leader", leader: "l:1" } };
    expect(await ensemble.run("member", "promote", "2")).toBe(exitCode);
    // And what to do next.
    expect(ensemble.err.text).toMatch(/^error: .*told by the leader.*\n  \S.*\n$/);
  });
});

describe("leader transfer", () => {
  test("names who leads then", async () => {
    const ensemble = new FakeEnsemble();
    ensemble.answer = { status: 200, body: { leader: "2" } };
    expect(await ensemble.run("leader", "transfer", "2")).toBe(EXIT_CODES.ok);
    expect(ensemble.out.text).toBe("2 leads\n");
    expect(ensemble.posts.at(-1)).toEqual({ server: "l:1", path: "/leader", value: { to: "2" } });
    await ensemble.run("leader", "transfer", "--json");
    expect(ensemble.posts.at(-1)?.value).toEqual({ to: null });
    expect(ensemble.out.text).toContain('{"leader":"2"}');
  });

  test("fails where leadership stays", async () => {
    const ensemble = new FakeEnsemble();
    const body = { code: "TRANSFER_FAILED", message: "3 is not heard of", leader: "l:1" };
    ensemble.answer = { status: 503, body };
    expect(await ensemble.run("leader", "transfer", "3")).toBe(EXIT_CODES.failed);
    expect(ensemble.err.text).toContain("3 is not heard of");
  });
});
