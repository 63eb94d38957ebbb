import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ownPorts } from "../support/own-ports.ts";
import { RunningCommand, quorate } from "./command.ts";
import { startEnsemble } from "./ensemble.ts";
import { isRunning } from "./is-running.ts";
import { poll } from "./poll.ts";

const WRONG_USAGE = 2;
const TIMED_OUT = 124;
const LOST = 125;
const INTERRUPTED = 130;
const NO_READER = 141;
const NODES_END_MS = 15_000;

test("quorate dev serves, shows a node that dies, keeps its data and resumes", async () => {
  const directory = temporaryDirectory();
  const [ports] = await ownPorts(1);
  const dev = ["dev", "--data", directory, "--port", String(ports?.client)];
  const first = new RunningCommand(dev);
  const [, servers = ""] = await first.says(/connect to +(\S+)\n/);
  await first.says(/leads in term/);
  expect(await quorate("create", "/kept", "yes", "-s", servers)).toMatchObject({ exit: 0 });
  expect((await quorate("status", "-s", servers)).output).toMatch(/leader/);
  const verify = ["wal", "verify", join(directory, "node-1")];
  expect(await quorate(...verify)).toMatchObject({
    exit: WRONG_USAGE,
    output: expect.stringContaining("the node is running"),
  });
  first.signal("SIGINT");
  expect(await first.ended()).toBe(0);
  expect(await quorate(...verify)).toMatchObject({
    exit: 0,
    output: expect.stringContaining("no damage"),
  });

  const second = new RunningCommand(["dev", "--data", directory]);
  await second.says(/leads in term/);
  expect(await quorate("get", "/kept", "-s", servers)).toEqual({ exit: 0, output: "yes\n" });
  const beside = await quorate("dev", "--data", join(directory, "other"), ...dev.slice(3));
  expect(beside.exit).toBe(1);
  expect(beside.output).toContain("another program listens there");
  expect(existsSync(join(directory, "other"))).toBe(false);

  const [, processId] = await second.says(/node 2 +process (\d+)/);
  process.kill(Number(processId), "SIGKILL");
  await second.says(/node 2 ended: signal SIGKILL \(9\); it is not started again/);
  expect(await quorate("get", "/kept", "-s", servers)).toEqual({ exit: 0, output: "yes\n" });
  expect((await quorate("status", "-s", servers)).exit).toBe(5);
  second.signal("SIGTERM");
  expect(await second.ended()).toBe(0);
});

test("quorate help server explains the flags as the server does", async () => {
  const told = await quorate("server", "--help");
  expect(told).toMatchObject({ exit: 0, output: expect.stringContaining("--data-directory") });
  expect(await quorate("help", "server")).toEqual(told);
});

test("Ctrl-C on a terminal stops the nodes of quorate dev in order", async () => {
  const directory = temporaryDirectory();
  const [ports] = await ownPorts(1);
  const args = ["dev", "--data", directory, "--port", String(ports?.client)];
  const dev = new RunningCommand(args, {}, { leadsGroup: true });
  await dev.says(/leads in term/);
  dev.interruptGroup();
  expect(await dev.ended()).toBe(0);
  for (const name of ["1", "2", "3"]) {
    const log = readFileSync(join(directory, `node-${name}.log`), "utf8");
    expect(log.trimEnd().split("\n").at(-1)).toContain("stopped");
  }
});

test("quorate dev leaves no node behind, not even when it is killed", async () => {
  const directory = temporaryDirectory();
  const [ports] = await ownPorts(1);
  const dev = new RunningCommand(["dev", "--data", directory, "--port", String(ports?.client)]);
  await dev.says(/leads in term/);
  const nodes = [...dev.output.matchAll(/node \d +process (\d+)/g)].map(([, id]) => Number(id));
  expect(nodes).toHaveLength(3);
  expect(nodes.filter(isRunning)).toEqual(nodes);
  dev.signal("SIGKILL");
  expect(await dev.ended()).toBe("SIGKILL");
  await poll("the nodes to end", NODES_END_MS, () => (nodes.some(isRunning) ? null : true));
});

test("quorate ends without a word when nobody reads what it prints", async () => {
  const unread = new RunningCommand(["--help"], {}, { unread: "stdout" });
  expect(await unread.ended()).toBe(NO_READER);
  expect(unread.output).toBe("");
  const untold = new RunningCommand(["get", "no-path"], {}, { unread: "stderr" });
  expect(await untold.ended()).toBe(WRONG_USAGE);
});

test("quorate lock runs one command at a time, and stops one that lost its lock", async () => {
  const ensemble = await startEnsemble();
  const servers = ensemble.servers.join(",");
  const options = ["-s", servers, "--session-timeout", "2", "--kill-after", "1"];
  const forever = `process.stdout.write("token " + process.env.QUORATE_LOCK_TOKEN + "\\n"); setInterval(() => {}, 1000);`;
  const holder = new RunningCommand([
    "lock",
    ...options,
    "job",
    "--",
    process.execPath,
    "-e",
    forever,
  ]);
  const [, firstToken = ""] = await holder.says(/token (\d+)/);

  const impatient = await quorate("lock", ...options, "--wait", "0.5", "job", "--", "true");
  expect(impatient.exit).toBe(TIMED_OUT);

  const next = new RunningCommand([
    "lock",
    ...options,
    "job",
    "--",
    process.execPath,
    "-e",
    forever,
  ]);
  holder.signal("SIGSTOP");
  const [, secondToken = ""] = await next.says(/token (\d+)/);
  expect(Number(secondToken)).toBeGreaterThan(Number(firstToken));
  holder.signal("SIGCONT");
  expect(await holder.ended()).toBe(LOST);
  expect(holder.output).toContain("LOCK_LOST");

  const interrupted = new RunningCommand(["lock", ...options, "job", "--", "true"]);
  await poll("it to stand in line", 20_000, async () => {
    const { output } = await quorate("ls", "/locks/job", "-s", servers);
    return output.trim().split("\n").length === 2 ? true : null;
  });
  interrupted.signal("SIGINT");
  expect(await interrupted.ended()).toBe(INTERRUPTED);
  expect(interrupted.output).toContain("interrupted while waiting for /locks/job");

  next.signal("SIGTERM");
  expect(await next.ended()).toBe(128 + 15);
  const after = await quorate(
    "elect",
    ...options,
    "job",
    "--",
    process.execPath,
    "-e",
    "process.exit(3)",
  );
  expect(after.exit).toBe(3);
  const listed = await quorate("ls", "/locks/job", "-s", servers);
  expect(listed).toEqual({ exit: 0, output: "" });
});

test("quorate watch prints what changes and ends when it is told to", async () => {
  const ensemble = await startEnsemble({ nodes: 1 });
  const servers = ensemble.servers.join(",");
  await quorate("create", "/a", "-s", servers);
  const watch = new RunningCommand([
    "watch",
    "/",
    "--recursive",
    "--data",
    "-n",
    "2",
    "-s",
    servers,
  ]);
  // It watches from some moment on: changes are made until it has seen its two.
  let change = 0;
  await poll("the watch to end", 40_000, async () => {
    change += 1;
    await quorate("set", "/a", `change ${change}`, "-s", servers);
    return watch.exit;
  });
  expect(watch.exit).toBe(0);
  expect(watch.output.trim().split("\n")).toEqual([
    expect.stringMatching(/^zxid \d+ dataChanged \/a "change \d+"$/),
    expect.stringMatching(/^zxid \d+ dataChanged \/a "change \d+"$/),
  ]);
});

function temporaryDirectory(): string {
  const root = process.env["QUORATE_TEST_DIR"] ?? tmpdir();
  const directory = mkdtempSync(join(root, "quorate-cli-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
