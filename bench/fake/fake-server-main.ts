import { existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  SLOW_SET_MS,
  type FakeReply,
  type FakeRequest,
  type FakeServerSettings,
  type FakeValue,
} from "./fake-wire.ts";

const { port, leaderPort, directory, plant } = JSON.parse(
  process.argv[2] ?? "{}",
) as FakeServerSettings;
const file = join(directory, "values");
/** In the folder of the third node: it shall end. */
const END_FILE = "end";
const END_POLL_MS = 10;
const values = new Map<string, FakeValue>();
const watches = new Map<string, ((value: FakeValue) => void)[]>();
let revision = 0;
let sets = 0;
let deletions = 0;

if (existsSync(file)) {
  for (const line of readFileSync(file, "utf8").split("\n").slice(0, -1)) {
    const [path, value] = JSON.parse(line) as [string, FakeValue | null];
    if (value === null) values.delete(path);
    else values.set(path, value);
    revision = value?.revision ?? revision;
  }
}
const log = openSync(file, "a");

function write(path: string, data: string): FakeValue {
  revision += 1;
  const value = { revision, data };
  values.set(path, value);
  if (plant !== "forgetful") writeSync(log, `${JSON.stringify([path, value])}\n`);
  for (const notify of watches.get(path) ?? []) notify(value);
  return value;
}

function remove(path: string): FakeValue | null {
  const value = values.get(path) ?? null;
  values.delete(path);
  deletions += 1;
  const isKept = plant !== "forgetful" && (plant !== "undeleting" || deletions % 10 > 0);
  if (isKept) writeSync(log, `${JSON.stringify([path, null])}\n`);
  return value;
}

function countChildren(path: string): number {
  return [...values.keys()].filter((key) => key.startsWith(`${path}/`)).length;
}

function find(request: FakeRequest): FakeValue | null {
  switch (request.kind) {
    case "create":
      return values.get(request.path) ?? write(request.path, request.data);
    case "set":
      sets += 1;
      if (plant === "failing" && sets % 10 === 0) return null;
      if (plant === "collecting" && sets % 20 === 0) globalThis.gc?.();
      if (plant === "dying" && sets === 1)
        writeFileSync(join(directory, "../node-3", END_FILE), "");
      return write(request.path, request.data);
    case "get":
    case "watch":
      return values.get(request.path) ?? null;
    case "delete":
      return remove(request.path);
    case "children":
      return { revision: countChildren(request.path), data: "" };
  }
}

function serve(socket: Socket): void {
  createInterface({ input: socket }).on("line", (line) => {
    const request = JSON.parse(line) as FakeRequest;
    const found = find(request);
    const send = (value: FakeValue | null): void => {
      const reply: FakeReply = { id: request.id, found: value };
      socket.write(`${JSON.stringify(reply)}\n`);
    };
    if (request.kind === "watch") {
      watches.set(request.path, [...(watches.get(request.path) ?? []), send]);
    }
    if (plant === "slow-set" && request.kind === "set") setTimeout(send, SLOW_SET_MS, found);
    else send(found);
  });
}

function passOn(socket: Socket): void {
  const leader = connect(leaderPort, "127.0.0.1");
  leader.on("error", () => socket.destroy());
  socket.on("close", () => leader.destroy());
  socket.pipe(leader).pipe(socket);
}

createServer((socket) => {
  socket.on("error", () => socket.destroy());
  if (port === leaderPort) serve(socket);
  else passOn(socket);
}).listen(port, "127.0.0.1");

if (plant === "dying") {
  setInterval(() => {
    const endFile = join(directory, END_FILE);
    if (!existsSync(endFile)) return;
    rmSync(endFile);
    process.exit(3);
  }, END_POLL_MS);
}
