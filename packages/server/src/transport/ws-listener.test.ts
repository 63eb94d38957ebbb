import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { ListenOptions, Listener } from "../ports.ts";
import { WsTransport } from "./ws-transport.ts";

let listener: Listener;
let frames: number[] = [];
let closes: string[] = [];

async function listen(changes: Partial<ListenOptions> = {}): Promise<void> {
  frames = [];
  closes = [];
  listener = await new WsTransport().listen({
    host: "127.0.0.1",
    port: 0,
    frameBytesMax: 1_000_000,
    firstFrameBytesMax: 1_000,
    connectionsMax: 10,
    allowedOrigins: [],
    http: null,
    accept: (connection) =>
      connection.setHandlers({
        onFrame: (frame) => void frames.push(frame.length),
        onClose: (reason) => void closes.push(reason),
      }),
    ...changes,
  });
}

beforeEach(() => listen());
afterEach(() => listener.close());

/** A socket that never closes its own side, with the text of what came from the other. */
function knock(lines: readonly string[]): Promise<{ readonly socket: Socket; answer: string }> {
  const socket = connect({ host: "127.0.0.1", port: listener.port, allowHalfOpen: true });
  const knocked = { socket, answer: "" };
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => (knocked.answer += bytes.toString()));
    socket.on("end", () => resolve(knocked));
  });
}

const UPGRADE = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];

describe("a refused upgrade", () => {
  test("is answered, and its socket is gone although the other side keeps it open", async () => {
    const { socket, answer } = await knock([...UPGRADE, "Origin: https://evil.example"]);
    expect(answer).toContain("403 Forbidden");
    // Would wait for the socket if there still were one.
    await listener.close();
    socket.destroy();
  });
});

function open(): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/`, { perMessageDeflate: false });
  socket.on("error", () => undefined);
  return new Promise((resolve) => {
    socket.on("open", () => resolve(socket));
  });
}

test("sockets that say nothing are few, and leave connections theirs", async () => {
  await listener.close();
  await listen({ connectionsMax: 1, otherSocketsMax: 2 });
  const silent = Array.from({ length: 4 }, () =>
    connect({ host: "127.0.0.1", port: listener.port }),
  );
  let closed = 0;
  for (const socket of silent) {
    socket.on("error", () => undefined);
    socket.on("close", () => (closed += 1));
  }
  await expect.poll(() => closed).toBe(1);
  silent.find((socket) => !socket.destroyed)?.destroy();
  await expect.poll(() => closed).toBe(2);
  (await open()).terminate();
  for (const socket of silent) socket.destroy();
});

describe("the first frame", () => {
  const closed = (socket: WebSocket): Promise<void> =>
    new Promise((resolve) => {
      socket.on("close", () => resolve());
    });

  test("of a stranger may only be small, whether it is complete or not", async () => {
    const socket = await open();
    const gone = closed(socket);
    // A piece of a frame that never ends.
    socket.send(new Uint8Array(2_000), { fin: false });
    await gone;
    expect(frames).toEqual([]);
  });

  test("is followed by larger ones, also when they come at once", async () => {
    const socket = await open();
    socket.send(new Uint8Array(900));
    socket.send(new Uint8Array(5_000));
    socket.send(new Uint8Array(500_000));
    socket.close();
    await closed(socket);
    expect(frames).toEqual([900, 5_000, 500_000]);
  });
});

describe("pings of the WebSocket protocol", () => {
  test("are answered", async () => {
    const socket = await open();
    const answer = new Promise<string>((resolve) => {
      socket.on("pong", (data: Buffer) => resolve(data.toString()));
    });
    socket.ping("there?");
    expect(await answer).toBe("there?");
    socket.terminate();
  });

  test("end the connection of who does not read the answers", async () => {
    const socket = await open();
    socket.pause();
    const payload = Buffer.alloc(125);
    // Far more than what the buffers of both kernels hold.
    for (let sent = 0; sent < 800_000 && closes.length === 0; sent += 1_000) {
      for (let count = 0; count < 1_000; count += 1) socket.ping(payload);
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
    expect(closes).toEqual(["connection lost"]);
    socket.terminate();
  });
});
