import { existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { SLOW_SET_MS, type FakeReply, type FakeRequest, type FakeValue } from "./fake-wire.ts";

const [port = "0", directory = ".", plant = "none"] = process.argv.slice(2);
const file = join(directory, "values");
const values = new Map<string, FakeValue>();
let revision = 0;
let sets = 0;

if (existsSync(file)) {
  for (const line of readFileSync(file, "utf8").split("\n").slice(0, -1)) {
    const [path, value] = JSON.parse(line) as [string, FakeValue];
    values.set(path, value);
    revision = value.revision;
  }
}
const log = openSync(file, "a");

function write(path: string, data: string): FakeValue {
  revision += 1;
  const value = { revision, data };
  values.set(path, value);
  if (plant !== "forgetful") writeSync(log, `${JSON.stringify([path, value])}\n`);
  return value;
}

function find(request: FakeRequest): FakeValue | null {
  switch (request.kind) {
    case "create":
      return values.get(request.path) ?? write(request.path, request.data);
    case "set":
      sets += 1;
      if (plant === "failing" && sets % 10 === 0) return null;
      return write(request.path, request.data);
    case "get":
      return values.get(request.path) ?? null;
  }
}

createServer((socket) => {
  socket.on("error", () => socket.destroy());
  createInterface({ input: socket }).on("line", (line) => {
    const request = JSON.parse(line) as FakeRequest;
    const reply: FakeReply = { id: request.id, found: find(request) };
    const send = (): void => void socket.write(`${JSON.stringify(reply)}\n`);
    if (plant === "slow-set" && request.kind === "set") setTimeout(send, SLOW_SET_MS);
    else send();
  });
}).listen(Number(port), "127.0.0.1");
