import { connect, type ClientPorts, type QuorateClient, type Socket } from "@quorate/client";
import { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { Transport } from "../../../packages/server/src/ports.ts";
import { drawClock, type ProcessClock } from "./process-clock.ts";
import { processTransport } from "./process-transport.ts";
import type { World } from "./world.ts";

const FRAME_BYTES_MAX = 8 << 20;
const DIAL_TIMEOUT_MS = 2_000;

/** An application's host: processes come and go on it, each with sessions through the SDK. */
export class SimClient {
  readonly name: string;
  readonly #world: World;
  readonly #sessions: SeededRandom;
  readonly #clocks: SeededRandom;
  #clock: ProcessClock;

  constructor(world: World, number: number) {
    this.#world = world;
    this.name = `c${number}`;
    this.#sessions = world.stream(`${this.name} sessions`);
    this.#clocks = world.stream(`${this.name} clocks`);
    this.#clock = this.#newClock();
    world.addClient(this.name);
  }

  /** Of the process that runs now. */
  get clock(): ProcessClock {
    return this.#clock;
  }

  get isStopped(): boolean {
    return this.#clock.isStopped;
  }

  stop(): void {
    if (this.isStopped) return;
    this.#world.trace.note(this.name, "is stopped");
    this.#clock.stop();
    this.#world.network.pause(this.name);
  }

  resume(): void {
    if (!this.isStopped) return;
    this.#world.trace.note(this.name, "goes on");
    this.#clock.resume();
    this.#world.network.resume(this.name);
  }

  /** The process dies; another one takes its place. */
  crash(): void {
    this.#world.trace.note(this.name, "is killed");
    if (this.isStopped) this.#world.network.resume(this.name);
    this.#clock.die();
    this.#world.endProcess(this.name);
    this.#clock = this.#newClock();
  }

  /** A session of the process that runs now. */
  connect(): Promise<QuorateClient> {
    const { profile } = this.#world;
    // As its configuration would name them; while members change, as it named all.
    const members = this.#world.members() ?? this.#world.nodes;
    const servers = members.map(({ clientAddress }) => clientAddress);
    const clock = this.#clock;
    const transport = processTransport(this.#world.network.transport(this.name), clock);
    return connect(
      {
        servers,
        sessionTimeoutMs: profile.sessionTimeoutMs,
        connectTimeoutMs: 10_000,
        name: this.name,
      },
      { clock, dialer: dialerOn(transport), random: this.#ownRandom() },
    );
  }

  #ownRandom(): ClientPorts["random"] {
    const random = new SeededRandom(this.#sessions.nextUint32());
    return { bytes: (count) => random.bytes(count), fraction: () => random.nextFraction() };
  }

  #newClock(): ProcessClock {
    const { time, profile } = this.#world;
    return drawClock(time, this.#clocks, profile.clockSkewMax);
  }
}

function dialerOn(transport: Transport): ClientPorts["dialer"] {
  return {
    async dial(server, handlers, signal): Promise<Socket> {
      const [host = "", port = "0"] = server.split(":");
      const connection = await transport.dial({
        host,
        port: Number(port),
        frameBytesMax: FRAME_BYTES_MAX,
        timeoutMs: DIAL_TIMEOUT_MS,
        handlers,
      });
      if (signal.aborted) {
        connection.destroy();
        throw new Error("given up");
      }
      return { send: (frame) => connection.send(frame), close: () => connection.close() };
    },
  };
}
