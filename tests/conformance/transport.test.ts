import { request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ManualClock } from "../../packages/server/src/memory/manual-clock.ts";
import type { Connection, Listener, ListenOptions } from "../../packages/server/src/ports.ts";
import { SystemClock } from "../../packages/server/src/system/system-clock.ts";
import {
  MemoryNetwork,
  type Delivery,
} from "../../packages/server/src/transport/memory-transport.ts";
import { WsTransport } from "../../packages/server/src/transport/ws-transport.ts";
import { Recorder, transportSuite } from "./transport.suite.ts";

transportSuite("WebSocket", async () => {
  const transport = new WsTransport();
  return { server: transport, client: transport, host: "127.0.0.1", release: async () => {} };
});

transportSuite("in memory", async () => {
  const network = new MemoryNetwork({ clock: new SystemClock() });
  return {
    server: network.transport("server"),
    client: network.transport("client"),
    host: "server",
    release: async () => {},
  };
});

describe("WebSocket transport, hostile and odd input", () => {
  let listener: Listener;
  let accepted: { readonly connection: Connection; readonly seen: Recorder }[] = [];

  async function listen(changes: Partial<ListenOptions> = {}): Promise<void> {
    accepted = [];
    listener = await new WsTransport().listen({
      host: "127.0.0.1",
      port: 0,
      frameBytesMax: 1_000,
      connectionsMax: 10,
      allowedOrigins: ["https://console.example"],
      http: async ({ method, path }) => {
        if (path === "/fails") throw new Error("planned");
        return { status: 200, contentType: "text/plain", body: `${method} ${path}` };
      },
      accept: (connection) => {
        const seen = new Recorder();
        connection.setHandlers(seen);
        accepted.push({ connection, seen });
      },
      ...changes,
    });
  }

  beforeEach(() => listen());
  afterEach(() => listener.close());

  function open(options: ConstructorParameters<typeof WebSocket>[2] = {}): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/`, options);
    return new Promise((resolve, reject) => {
      socket.on("open", () => resolve(socket));
      socket.on("error", reject);
    });
  }

  function get(
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: listener.port, path, headers };
      request(options, (response) => {
        let body = "";
        response.on("data", (piece: Buffer) => (body += piece.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      })
        .on("error", reject)
        .end();
    });
  }

  function raw(text: string): Promise<string> {
    return new Promise((resolve) => {
      const socket: Socket = connect(listener.port, "127.0.0.1", () => socket.write(text));
      let answer = "";
      socket.on("data", (piece) => (answer += piece.toString()));
      socket.on("error", () => {});
      socket.on("close", () => resolve(answer));
    });
  }

  test("a text frame ends the connection with 1003", async () => {
    const socket = await open();
    const code = new Promise((resolve) => socket.on("close", resolve));
    socket.send("text");
    socket.send(Uint8Array.of(1));
    expect(await code).toBe(1003);
    await accepted[0]!.seen.closed();
    expect(accepted[0]!.seen).toMatchObject({ frames: [], closes: ["a text frame"] });
  });

  test("a frame too large ends the connection with 1009, also in pieces", async () => {
    for (const inPieces of [false, true]) {
      const socket = await open();
      const code = new Promise((resolve) => socket.on("close", resolve));
      socket.on("error", () => {});
      if (inPieces) {
        for (let at = 0; at < 5; at += 1) socket.send(new Uint8Array(300), { fin: false });
      } else {
        socket.send(new Uint8Array(1_001));
      }
      expect(await code).toBe(1009);
    }
    await accepted[0]!.seen.closed();
  });

  test("no compression is agreed on", async () => {
    const socket = await open({ perMessageDeflate: true });
    expect(socket.extensions).toBe("");
    socket.terminate();
  });

  test("origins are compared exactly, and no origin is fine", async () => {
    for (const origin of [
      "https://console.example.evil",
      "http://console.example",
      "https://console.example:443",
      "null",
      "",
    ]) {
      await expect(open({ headers: { origin } }), origin).rejects.toThrow("403");
    }
    (await open({ headers: { origin: "https://console.example" } })).terminate();
    (await open()).terminate();
  });

  test("HTTP is answered on the same port, without the query", async () => {
    expect(await get("/ready?x=1")).toEqual({ status: 200, body: "GET /ready" });
    expect((await get("/fails")).status).toBe(500);
    expect((await get("/", { origin: "https://evil" })).status).toBe(403);
    expect((await get("/", { host: "a b" })).status).toBe(400);
    expect((await get("/", { host: "localhost:1" })).status).toBe(200);
  });

  test("without a handler HTTP is refused", async () => {
    await listener.close();
    await listen({ http: null });
    expect((await get("/")).status).toBe(426);
  });

  test("bytes that are no HTTP, handshakes that are none, and resets do no harm", async () => {
    await raw("\u0000\u0001\u0002\r\n\r\n");
    await raw(`GET / HTTP/1.1\r\nHost: ${"x".repeat(20_000)}\r\n\r\n`);
    const handshake = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    expect(await raw(`${handshake}\r\n`)).toContain("400");
    expect(await raw(`${handshake}Sec-WebSocket-Version: 1\r\n\r\n`)).toMatch(/ 4\d\d /);
    const socket = connect(listener.port, "127.0.0.1");
    socket.on("error", () => {});
    await new Promise((resolve) => socket.on("connect", resolve));
    socket.resetAndDestroy();
    const websocket = await open();
    websocket.on("error", () => {});
    // A frame with reserved bits set.
    (websocket as unknown as { _socket: Socket })._socket.write(Buffer.from([0xff, 0xff, 0, 0]));
    await accepted[0]!.seen.closed();
    (await open()).terminate();
  });

  test("a listener waits neither for idle requests nor for peers that do not answer a close", async () => {
    const idle = connect(listener.port, "127.0.0.1");
    idle.on("error", () => {});
    await new Promise((resolve) => idle.on("connect", resolve));
    const silent = await open();
    silent.pause();
    const started = performance.now();
    await listener.close();
    expect(performance.now() - started).toBeLessThan(3_000);
    await accepted[0]!.seen.closed();
    idle.destroy();
    silent.terminate();
  });

  test("dialling one that accepts and says nothing times out", async () => {
    const silent = createServer((socket) => socket.on("error", () => {}));
    const sockets: Socket[] = [];
    silent.on("connection", (socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = silent.address();
    const port = typeof address === "object" ? address!.port : 0;
    const seen = new Recorder();
    const dialling = new WsTransport().dial({
      host: "127.0.0.1",
      port,
      frameBytesMax: 1,
      timeoutMs: 50,
      handlers: seen,
    });
    await expect(dialling).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
    expect(seen.closes).toEqual([]);
  });

  test("an address that is not this machine's is told", async () => {
    for (const [host, advice] of [
      ["192.0.2.1", "name one of its own"],
      ["no-such-host.invalid", "no-such-host.invalid"],
    ] as const) {
      const options = {
        host,
        port: 0,
        frameBytesMax: 1,
        connectionsMax: 1,
        allowedOrigins: [],
        http: null,
        accept: () => {},
      };
      await expect(new WsTransport().listen(options)).rejects.toMatchObject({
        code: "ADDRESS_UNAVAILABLE",
        message: expect.stringContaining(advice),
      });
    }
  });
});

describe("network in memory", () => {
  const options = {
    host: "any",
    frameBytesMax: 1_000,
    connectionsMax: 10,
    allowedOrigins: [],
    http: null,
  };

  async function network(schedule?: (delivery: Delivery) => void) {
    const clock = new ManualClock();
    const net = new MemoryNetwork(schedule === undefined ? { clock } : { clock, schedule });
    const far = new Recorder();
    const near = new Recorder();
    await net
      .transport("b")
      .listen({ ...options, port: 1, accept: (connection) => connection.setHandlers(far) });
    const dialling = net
      .transport("a")
      .dial({ host: "b", port: 1, frameBytesMax: 1_000, timeoutMs: 100, handlers: near });
    return { clock, net, far, near, dialling };
  }

  async function connected() {
    const context = await network();
    context.clock.finishTurn();
    return { ...context, connection: await context.dialling };
  }

  test("a cut is seen by both sides, and what was on its way is lost", async () => {
    const { clock, net, far, near, connection } = await connected();
    connection.send(Uint8Array.of(1));
    net.cut("b", "a");
    clock.finishTurn();
    expect([far.frames, far.closes, near.closes]).toEqual([[], ["cut"], ["cut"]]);
  });

  test("a blocked direction holds what is sent, unnoticed, and hands it on in order", async () => {
    const { clock, net, far, near, connection } = await connected();
    net.block("a", "b");
    connection.send(Uint8Array.of(1));
    connection.send(Uint8Array.of(2));
    clock.advance(10_000);
    expect([far.frames.length, near.closes.length, connection.bufferedBytes]).toEqual([0, 0, 2]);
    net.unblock("a", "b");
    expect(far.frames).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
  });

  test("dialling through a block times out", async () => {
    const { clock, net, dialling, near } = await network();
    net.block("b", "a");
    clock.advance(99);
    clock.advance(1);
    await expect(dialling).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    net.unblock("b", "a");
    clock.advance(1);
    expect(near.closes).toEqual([]);
  });

  test("a party that stands still gets everything later, one that ended nothing", async () => {
    const { clock, net, far, near, connection } = await connected();
    net.pause("b");
    connection.send(Uint8Array.of(1));
    clock.finishTurn();
    expect(far.frames).toEqual([]);
    net.resume("b");
    expect(far.frames).toEqual([Uint8Array.of(1)]);
    net.drop("b");
    clock.finishTurn();
    expect(near.closes).toEqual(["reset"]);
    const again = net
      .transport("a")
      .dial({ host: "b", port: 1, frameBytesMax: 1, timeoutMs: 100, handlers: new Recorder() });
    clock.finishTurn();
    await expect(again).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  });

  test("whoever schedules decides when, but not in which order", async () => {
    const due: Delivery[] = [];
    const { far, dialling } = await network((delivery) => due.push(delivery));
    for (const delivery of due.splice(0)) delivery.deliver();
    for (const delivery of due.splice(0)) delivery.deliver();
    const connection = await dialling;
    for (let at = 1; at <= 3; at += 1) connection.send(Uint8Array.of(at));
    expect(due).toMatchObject([
      { from: "a", to: "b", kind: "frame", bytes: 1 },
      { from: "a", to: "b", kind: "frame", bytes: 1 },
      { from: "a", to: "b", kind: "frame", bytes: 1 },
    ]);
    const [first, second, third] = due;
    third!.deliver();
    expect(far.frames).toEqual([]);
    first!.deliver();
    expect(far.frames).toEqual([Uint8Array.of(1)]);
    second!.deliver();
    expect(far.frames.map(([byte]) => byte)).toEqual([1, 2, 3]);
  });
});
