import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type {
  Connection,
  ConnectionHandlers,
  DialOptions,
  ListenOptions,
  Listener,
  Transport,
} from "../../packages/server/src/ports.ts";

export interface TransportUnderTest {
  /** One party's transport, and another's that reaches the first under `host`. */
  readonly server: Transport;
  readonly client: Transport;
  readonly host: string;
  release(): Promise<void>;
}

/** What one end of a connection has seen, and a way to wait for more. */
export class Recorder implements ConnectionHandlers {
  readonly frames: Uint8Array[] = [];
  readonly closes: string[] = [];
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];

  onFrame(frame: Uint8Array): void {
    expect(this.closes).toEqual([]);
    this.frames.push(frame);
    this.#changed();
  }

  onClose(reason: string): void {
    this.closes.push(reason);
    this.#changed();
  }

  until(isMet: (recorder: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ isMet: () => isMet(this), resolve });
      this.#changed();
    });
  }

  framesReach(count: number): Promise<void> {
    return this.until(({ frames }) => frames.length >= count);
  }

  closed(): Promise<void> {
    return this.until(({ closes }) => closes.length > 0);
  }

  #changed(): void {
    const met = this.#waiting.filter(({ isMet }) => isMet());
    this.#waiting = this.#waiting.filter((each) => !met.includes(each));
    for (const { resolve } of met) resolve();
  }
}

interface Accepted {
  readonly connection: Connection;
  readonly seen: Recorder;
}

const FRAME_BYTES_MAX = 100_000;

/** What every implementation of the port does. */
export function transportSuite(name: string, setUp: () => Promise<TransportUnderTest>): void {
  describe(`transport: ${name}`, () => {
    let context: TransportUnderTest;
    let listeners: Listener[] = [];
    let accepted: Accepted[] = [];
    let onAccept: (accepted: Accepted) => void = () => {};

    beforeEach(async () => {
      context = await setUp();
      listeners = [];
      accepted = [];
      onAccept = () => {};
    });

    afterEach(async () => {
      await Promise.all(listeners.map((listener) => listener.close()));
      await context.release();
    });

    async function listen(changes: Partial<ListenOptions> = {}): Promise<Listener> {
      const listener = await context.server.listen({
        host: "127.0.0.1",
        port: 0,
        frameBytesMax: FRAME_BYTES_MAX,
        connectionsMax: 10,
        allowedOrigins: [],
        http: null,
        accept: (connection) => {
          const seen = new Recorder();
          connection.setHandlers(seen);
          accepted.push({ connection, seen });
          onAccept({ connection, seen });
        },
        ...changes,
      });
      listeners.push(listener);
      return listener;
    }

    async function dial(port: number, changes: Partial<DialOptions> = {}) {
      const seen = new Recorder();
      const connection = await context.client.dial({
        host: context.host,
        port,
        frameBytesMax: FRAME_BYTES_MAX,
        timeoutMs: 5_000,
        handlers: seen,
        ...changes,
      });
      return { connection, seen };
    }

    async function pair(changes: Partial<ListenOptions> = {}) {
      const { port } = await listen(changes);
      const near = await dial(port);
      await near.seen.until(() => accepted.length > 0);
      return { near, far: accepted[0]!, port };
    }

    test("frames go both ways, whole and in order", async () => {
      const { near, far } = await pair();
      for (let at = 0; at < 200; at += 1) {
        near.connection.send(new Uint8Array(at).fill(at));
        far.connection.send(Uint8Array.of(at));
      }
      await Promise.all([far.seen.framesReach(200), near.seen.framesReach(200)]);
      expect(far.seen.frames.map((frame) => frame.length)).toEqual([...Array(200).keys()]);
      expect(far.seen.frames[150]).toEqual(new Uint8Array(150).fill(150));
      expect(near.seen.frames.map(([byte]) => byte)).toEqual([...Array(200).keys()]);
      expect(Buffer.isBuffer(far.seen.frames[0])).toBe(false);
    });

    test("what the listening side sends as it accepts arrives", async () => {
      onAccept = ({ connection }) => connection.send(Uint8Array.of(1, 2));
      const { near } = await pair();
      await near.seen.framesReach(1);
      expect(near.seen.frames).toEqual([Uint8Array.of(1, 2)]);
    });

    test("the receiver may change what it got", async () => {
      const { near, far } = await pair();
      const frame = Uint8Array.of(1, 2, 3);
      near.connection.send(frame);
      near.connection.send(frame);
      await far.seen.framesReach(2);
      far.seen.frames[0]!.fill(0);
      expect(frame).toEqual(Uint8Array.of(1, 2, 3));
      expect(far.seen.frames[1]).toEqual(Uint8Array.of(1, 2, 3));
    });

    test("a close lets leave what was sent, and each side hears of it once", async () => {
      const { near, far } = await pair();
      for (let at = 0; at < 50; at += 1) near.connection.send(new Uint8Array(50_000).fill(at));
      near.connection.close();
      near.connection.close();
      near.connection.send(Uint8Array.of(9));
      await Promise.all([far.seen.closed(), near.seen.closed()]);
      expect(far.seen.frames).toHaveLength(50);
      far.connection.send(Uint8Array.of(9));
      far.connection.close();
      near.connection.destroy();
      await new Promise((resolve) => setImmediate(resolve));
      expect([near.seen.closes.length, far.seen.closes.length]).toEqual([1, 1]);
      expect(near.seen.frames).toEqual([]);
    });

    test("destroying ends both sides", async () => {
      const { near, far } = await pair();
      far.connection.destroy();
      far.connection.destroy();
      await Promise.all([far.seen.closed(), near.seen.closed()]);
      expect([near.seen.closes.length, far.seen.closes.length]).toEqual([1, 1]);
    });

    test("a paused connection delivers nothing until it is resumed", async () => {
      const { near, far } = await pair();
      far.connection.pause();
      for (let at = 0; at < 20; at += 1) near.connection.send(Uint8Array.of(at));
      // Something that goes the whole way round, so that the frames had their time.
      far.connection.send(Uint8Array.of(1));
      await near.seen.framesReach(1);
      expect(far.seen.frames).toEqual([]);
      far.connection.resume();
      await far.seen.framesReach(20);
      expect(far.seen.frames.map(([byte]) => byte)).toEqual([...Array(20).keys()]);
    });

    test("pausing within a frame's delivery holds the next ones", async () => {
      const { port } = await listen();
      const near = await dial(port);
      await near.seen.until(() => accepted.length > 0);
      const far = accepted[0]!;
      const frames: number[] = [];
      let onFrame = (): void => {};
      far.connection.setHandlers({
        onFrame: ([byte]) => {
          frames.push(byte!);
          far.connection.pause();
          onFrame();
        },
        onClose: () => {},
      });
      for (let at = 0; at < 5; at += 1) near.connection.send(Uint8Array.of(at));
      for (let at = 0; at < 5; at += 1) {
        await new Promise<void>((resolve) => {
          onFrame = resolve;
          if (frames.length > at) resolve();
        });
        expect(frames).toHaveLength(at + 1);
        far.connection.resume();
      }
      expect(frames).toEqual([0, 1, 2, 3, 4]);
    });

    test("a frame beyond the receiver's bound ends the connection", async () => {
      const { near, far } = await pair();
      near.connection.send(new Uint8Array(FRAME_BYTES_MAX));
      near.connection.send(new Uint8Array(FRAME_BYTES_MAX + 1));
      await Promise.all([far.seen.closed(), near.seen.closed()]);
      expect(far.seen.frames.map((frame) => frame.length)).toEqual([FRAME_BYTES_MAX]);
    });

    test("what the network has not taken is counted", async () => {
      const { near, far } = await pair();
      far.connection.pause();
      for (let at = 0; at < 500; at += 1) near.connection.send(new Uint8Array(50_000));
      expect(near.connection.bufferedBytes).toBeGreaterThan(1_000_000);
      far.connection.resume();
      await far.seen.framesReach(500);
      near.connection.send(Uint8Array.of(1));
      await far.seen.framesReach(501);
      expect(near.connection.bufferedBytes).toBe(0);
    });

    test("connections beyond the bound are refused, and room is given back", async () => {
      const { port } = await listen({ connectionsMax: 2 });
      const first = await dial(port);
      await dial(port);
      await expect(dial(port)).rejects.toMatchObject({ code: "CONNECT_FAILED" });
      first.connection.close();
      await first.seen.closed();
      await accepted[0]!.seen.closed();
      await dial(port);
      expect(accepted).toHaveLength(3);
    });

    test("dialling nobody fails", async () => {
      const listener = await listen();
      await listener.close();
      await expect(dial(listener.port)).rejects.toMatchObject({
        name: "ServerError",
        code: "CONNECT_FAILED",
      });
    });

    test("a port in use is told", async () => {
      const { port } = await listen();
      await expect(listen({ port })).rejects.toMatchObject({
        name: "ServerError",
        code: "ADDRESS_IN_USE",
      });
    });

    test("a closed listener closes what it accepted, lets leave what was sent, frees its port", async () => {
      const { near, far, port } = await pair();
      far.connection.send(Uint8Array.of(7));
      await listeners[0]!.close();
      await Promise.all([near.seen.closed(), far.seen.closed()]);
      expect(near.seen.frames).toEqual([Uint8Array.of(7)]);
      await listeners[0]!.close();
      await listen({ port });
    });

    test("many frames sent in one turn arrive as many frames", async () => {
      const { near, far } = await pair();
      for (let round = 0; round < 5; round += 1) {
        for (let at = 0; at < 100; at += 1) near.connection.send(Uint8Array.of(at));
        await far.seen.framesReach((round + 1) * 100);
      }
      expect(far.seen.frames).toHaveLength(500);
    });
  });
}
