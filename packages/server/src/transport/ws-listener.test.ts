import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { ListenOptions, Listener } from "../ports.ts";
import { WsTransport } from "./ws-transport.ts";

let listener: Listener;
let frames: number[] = [];
let closes: string[] = [];

async function listen(changes: Partial<ListenOptions> = {}): Promise<void> {
  // Of this listener alone: of the one before something may still end.
  const came: number[] = [];
  const ended: string[] = [];
  frames = came;
  closes = ended;
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
        onFrame: (frame) => void came.push(frame.length),
        onClose: (reason) => void ended.push(reason),
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

describe("sockets that are no connections", () => {
  /** One that is accepted and says so much. */
  async function dial(text = ""): Promise<Socket> {
    const socket = connect({ host: "127.0.0.1", port: listener.port });
    socket.on("error", () => undefined);
    // Whoever does not read is not told of the end.
    socket.resume();
    await new Promise((resolve) => {
      socket.on("connect", resolve);
    });
    socket.write(text);
    return socket;
  }

  async function dialMany(count: number): Promise<readonly Socket[]> {
    const sockets: Socket[] = [];
    while (sockets.length < count) sockets.push(await dial());
    return sockets;
  }

  const isOpen = (socket: Socket): boolean => !socket.closed;

  test("are few, the oldest goes for a new one, and connections are not theirs", async () => {
    await listener.close();
    await listen({ connectionsMax: 1, otherSocketsMax: 2 });
    const silent = await dialMany(7);
    await expect.poll(() => silent.map(isOpen).lastIndexOf(false)).toBe(3);
    const websocket = await open();
    await expect.poll(() => silent.map(isOpen).lastIndexOf(false)).toBe(4);
    const more = await dialMany(5);
    await expect.poll(() => more.map(isOpen).lastIndexOf(false)).toBe(2);
    expect(websocket.readyState).toBe(websocket.OPEN);
    websocket.terminate();
    for (const socket of [...silent, ...more]) socket.destroy();
  });

  /** Listens with so few places, and answers nobody before it is told to. */
  async function listenAndHold(): Promise<{ readonly asked: () => number; answer(): void }> {
    await listener.close();
    const waiting: (() => void)[] = [];
    await listen({
      connectionsMax: 1,
      otherSocketsMax: 4,
      http: async () => {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
        return { status: 200, contentType: "text/plain", body: "told" };
      },
    });
    return { asked: () => waiting.length, answer: () => waiting.forEach((resolve) => resolve()) };
  }

  const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

  test("stay while they are answered", async () => {
    const { asked, answer } = await listenAndHold();
    const asking = await dial(REQUEST);
    let told = "";
    asking.on("data", (bytes) => (told += bytes.toString()));
    await expect.poll(asked).toBe(1);
    const silent = await dialMany(8);
    await expect.poll(() => silent.map(isOpen).lastIndexOf(false)).toBe(3);
    answer();
    await expect.poll(() => told).toContain("told");
    for (const socket of [asking, ...silent]) socket.destroy();
  });

  test("do not keep others out, also when they do not take their answers", async () => {
    const { asked } = await listenAndHold();
    const asking: Socket[] = [];
    for (let count = 1; count <= 5; count += 1) {
      asking.push(await dial(REQUEST));
      await expect.poll(asked).toBe(count);
    }
    const [silent] = await dialMany(1);
    const websocket = await open();
    await expect.poll(() => asking.map(isOpen).lastIndexOf(false)).toBe(1);
    expect(silent?.closed).toBe(false);
    websocket.terminate();
    for (const socket of asking) socket.destroy();
    silent?.destroy();
  });
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

describe("frames that are not complete", () => {
  /** Comes to it when the other side has all that was sent. */
  const arrived = async (socket: WebSocket): Promise<void> => {
    const answer = new Promise((resolve) => {
      socket.once("pong", resolve);
    });
    socket.ping();
    await answer;
  };

  /** A client that has introduced itself and sent so much of a frame. */
  const begin = async (bytes: number): Promise<WebSocket> => {
    const socket = await open();
    socket.send(new Uint8Array(1));
    socket.send(new Uint8Array(bytes), { fin: false });
    await arrived(socket);
    return socket;
  };

  test("are bounded over all connections, and who holds most goes", async () => {
    await listener.close();
    await listen({ unfinishedBytesMax: 100_000 });
    const small = await begin(10_000);
    const most = await begin(70_000);
    const last = await begin(50_000);
    await expect.poll(() => most.readyState).toBe(most.CLOSED);
    expect(closes).toEqual([
      "all clients together sent too much of messages that they did not complete",
    ]);
    for (const socket of [small, last]) {
      socket.send(new Uint8Array(1), { fin: true });
      await arrived(socket);
    }
    expect(frames).toEqual([1, 1, 1, 10_001, 50_001]);
    for (const socket of [small, last]) socket.terminate();
    await expect.poll(() => closes.length).toBe(3);
  });

  test("are forgotten with their connections", async () => {
    await listener.close();
    await listen({ unfinishedBytesMax: 100_000 });
    for (let count = 1; count <= 3; count += 1) {
      (await begin(30_000)).terminate();
      await expect.poll(() => closes.length).toBe(count);
    }
    const alone = await begin(80_000);
    alone.send(new Uint8Array(1), { fin: true });
    await arrived(alone);
    expect(frames.at(-1)).toBe(80_001);
    alone.terminate();
  });

  test("may not come in pieces smaller than any network makes", async () => {
    await listener.close();
    await listen({ frameBytesMax: 1_000, firstFrameBytesMax: 2_000 });
    const websocket = await open();
    const { _socket: socket } = websocket as unknown as { readonly _socket: Socket };
    // A binary frame of 1,000 bytes, with a mask of zeros.
    socket.write(Buffer.from([0x82, 0xfe, 0x03, 0xe8, 0, 0, 0, 0]));
    for (let sent = 0; sent < 999 && closes.length === 0; sent += 1) {
      socket.write(Buffer.alloc(1));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    await expect.poll(() => closes).toEqual(["Too many buffered chunks"]);
    socket.destroy();
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
