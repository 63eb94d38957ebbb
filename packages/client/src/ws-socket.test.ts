import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import type { SocketHandlers } from "./ports.ts";
import { systemPorts } from "./system-ports.ts";
import { webSocketDialer } from "./ws-socket.ts";

const stops: (() => void)[] = [];

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function listen(): Promise<{ server: WebSocketServer; address: string }> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  stops.push(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Collects what a socket reports; `closed` settles with the reason. */
function collect(): SocketHandlers & { frames: Uint8Array[]; closed: Promise<string> } {
  const frames: Uint8Array[] = [];
  let onClose: (reason: string) => void = () => undefined;
  const closed = new Promise<string>((resolve) => {
    onClose = resolve;
  });
  return { frames, closed, onFrame: (frame) => void frames.push(frame), onClose };
}

const isTimer = (resource: string): boolean => resource === "Timeout";

test("carries frames both ways and reports the end once", async () => {
  const { server, address } = await listen();
  server.on("connection", (peer) => {
    peer.on("message", (data) => {
      peer.send(data);
      peer.close();
    });
  });
  const handlers = collect();
  const socket = await webSocketDialer.dial(address, handlers, new AbortController().signal);
  socket.send(Uint8Array.of(1, 2, 3));
  expect(await handlers.closed).toContain("closed");
  expect(handlers.frames.map((frame) => [...frame])).toEqual([[1, 2, 3]]);
  socket.send(Uint8Array.of(4));
  socket.close();
});

test("closing what the server has closed already leaves no timer behind", async () => {
  const { server, address } = await listen();
  server.on("connection", (peer) => peer.close());
  const handlers = collect();
  const socket = await webSocketDialer.dial(address, handlers, new AbortController().signal);
  await handlers.closed;
  const timers = (): number => process.getActiveResourcesInfo().filter(isTimer).length;
  const before = timers();
  socket.close();
  expect(timers()).toBe(before);
});

test("text frames end the connection", async () => {
  const { server, address } = await listen();
  server.on("connection", (peer) => peer.send("text"));
  const handlers = collect();
  await webSocketDialer.dial(`ws://${address}`, handlers, new AbortController().signal);
  await handlers.closed;
  expect(handlers.frames).toEqual([]);
});

test("rejects where nobody listens, or somebody who speaks otherwise", async () => {
  const { signal } = new AbortController();
  const other = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => socket.destroy());
    socket.write("hello\r\n\r\n");
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  await expect(webSocketDialer.dial(`127.0.0.1:${port}`, collect(), signal)).rejects.toThrow();
  await new Promise((resolve) => other.close(resolve));
  await expect(webSocketDialer.dial(`127.0.0.1:${port}`, collect(), signal)).rejects.toThrow();
});

test.each([
  ["503 Service Unavailable", /takes no more connections now/],
  ["403 Forbidden", /^it answered 403 Forbidden$/],
])("rejects where %s is answered, and says what it means", async (status, reason) => {
  const refusing = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });
  await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
  stops.push(() => refusing.close());
  const { port } = refusing.address() as AddressInfo;
  const { signal } = new AbortController();
  await expect(webSocketDialer.dial(`127.0.0.1:${port}`, collect(), signal)).rejects.toThrow(
    reason,
  );
});

test("gives up when it is told to", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  stops.push(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const abort = new AbortController();
  const dialling = webSocketDialer.dial(`127.0.0.1:${port}`, collect(), abort.signal);
  abort.abort();
  await expect(dialling).rejects.toThrow();
});

test("the platform's clock and randomness", async () => {
  const { clock, random } = systemPorts();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    clock.endOfTurn(() => {
      order.push("end of turn");
      resolve();
    });
    void Promise.resolve().then(() => order.push("microtask"));
  });
  expect(order).toEqual(["microtask", "end of turn"]);
  const before = clock.nowMs();
  clock.after(60_000, () => undefined).cancel();
  await new Promise<void>((resolve) => void clock.after(2, resolve));
  expect(clock.nowMs()).toBeGreaterThan(before);
  expect(random.bytes(16)).toHaveLength(16);
  expect(random.fraction()).toBeLessThan(1);
});
