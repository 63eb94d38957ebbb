import { ServerError, isDamage } from "../../../packages/server/src/errors.ts";
import {
  MemoryFiles,
  type FileOperation,
} from "../../../packages/server/src/memory/memory-files.ts";
import { MemoryImageStores } from "../../../packages/server/src/memory/memory-image-stores.ts";
import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { WallClock } from "../../../packages/server/src/ports.ts";
import type { Entrance } from "../../../packages/server/src/peer/envelope.ts";
import { QuorateServer } from "../../../packages/server/src/quorate-server.ts";
import {
  IDENTITY_FILE,
  IMAGE_PREFIX,
  LOG_DIRECTORY,
} from "../../../packages/server/src/storage/data-directory.ts";
import { decodeSegmentHeader } from "../../../packages/server/src/storage/log-format.ts";
import { scanLog, type LogScanItem } from "../../../packages/server/src/storage/log-scan.ts";
import { Violation } from "../violation.ts";
import { drawClock, type ProcessClock } from "./process-clock.ts";
import { LogBound } from "./log-bound.ts";
import { DiskPace, type DiskMood } from "./disk-pace.ts";
import { endCodeOf, type EndCode } from "./end-code.ts";
import type { DiskPlace, StepPlace } from "./fault-event.ts";
import { CLIENT_PORT, DATA_DIRECTORY, configOf } from "./node-config.ts";
import { processTransport } from "./process-transport.ts";
import { serves } from "./serves.ts";
import type { World } from "./world.ts";

const LOG_PATH = `${DATA_DIRECTORY}/${LOG_DIRECTORY}`;
const IDENTITY_PATH = `${DATA_DIRECTORY}/${IDENTITY_FILE}`;
const SECTOR_BYTES = 512;
const EPOCH_MS = 1_700_000_000_000;
const RESTART_MEAN_MS = 800;

/** One server of the simulated ensemble: its machine with disk and clocks, and the process on it, which comes and goes. */
export class SimNode {
  readonly name: string;
  readonly #world: World;
  readonly #number: number;
  readonly #disk: SeededRandom;
  readonly #pace: DiskPace;
  readonly #clocks: SeededRandom;
  readonly #restarts: SeededRandom;
  #files: MemoryFiles;
  #images: MemoryImageStores;
  #clock: ProcessClock;
  #server: QuorateServer | null = null;
  #wallJumpMs = 0;
  #isDark = false;
  #life = 0;
  #logBound = new LogBound();
  #entrance: Entrance | "repair";
  /** Something of what it has stored turned while it ran, and it has not started anew since. */
  #isRotten = false;
  #isEnlisted: boolean;
  /** What was done to this life of its process, or to the disk under it, that may end it. */
  readonly #excuses = new Set<EndCode>();
  /** The same of all lives on this disk. */
  readonly #flaws = new Set<EndCode>();
  #stepCrashes = 0;
  /** Of the node that it was when it was last a member; null: never, since its disk was empty. */
  #memberId: number | null = null;

  constructor(world: World, number: number) {
    this.#world = world;
    this.name = `n${number}`;
    this.#disk = world.stream(`${this.name} disk`);
    this.#pace = new DiskPace(world.profile, this.#disk, world.stream(`${this.name} reads`));
    this.#clocks = world.stream(`${this.name} clocks`);
    this.#restarts = world.stream(`${this.name} restarts`);
    this.#number = number;
    this.#isEnlisted = number <= world.profile.nodes;
    this.#entrance = this.#isEnlisted ? "member" : "join";
    this.#files = this.#emptyDisk();
    this.#images = new MemoryImageStores(this.#files);
    this.#clock = this.#newClock();
    this.#clock.die();
  }

  get clientAddress(): string {
    return `${this.name}:${CLIENT_PORT}`;
  }

  /** What its disk does to it at the moment. */
  get mood(): DiskMood {
    return this.#pace.mood;
  }

  /** How often it died at a step of its files. */
  get stepCrashes(): number {
    return this.#stepCrashes;
  }

  /** It is to run: it is a member, or may become one. */
  get isEnlisted(): boolean {
    return this.#isEnlisted;
  }

  /** False from the loss of its data until it serves again. */
  get isWhole(): boolean {
    if (this.#isRotten) return false;
    return this.#entrance === "member" || this.#entrance === "join";
  }

  /** It runs, and was a member under the identity that it has, or may have: while it starts nobody knows. */
  get wasMember(): boolean {
    if (!this.isUp || this.#memberId === null) return false;
    return this.#server === null || this.#server.status().nodeId === this.#memberId;
  }

  /** From now on it runs, and asks to join unless it is a member. */
  enlist(): void {
    this.#isEnlisted = true;
    this.start();
  }

  /** The disk of a node that is down is empty. */
  wipe(entrance: "join" | "rejoin"): void {
    this.#world.trace.note(this.name, "loses its data");
    this.#entrance = entrance;
    this.#isRotten = false;
    this.#memberId = null;
    this.#files = this.#emptyDisk();
    this.#flaws.clear();
    this.#images = new MemoryImageStores(this.#files);
  }

  /** A bit of the log of a node that is down is another one, in any file but the newest: where that ends nobody knows. */
  damage(place: DiskPlace): void {
    const files = [...this.#files.namesIn(LOG_PATH)].sort().slice(0, -1);
    const name = at(files, place.record);
    if (name === undefined) return;
    const path = `${LOG_PATH}/${name}`;
    const position = Math.floor(place.offset * this.#files.sizeOf(path));
    this.#world.trace.note(this.name, `a bit of ${name} at ${position} is another one`);
    this.#files.flipBit(path, position, place.bit);
    this.#entrance = "repair";
  }

  /** The disk of a node that is down does not give one sector back: of its log, in any file, or of one copy of its identity. */
  breakSector(place: DiskPlace): void {
    const log = this.#files.namesIn(LOG_PATH).map((name) => `${LOG_PATH}/${name}`);
    const path = at([IDENTITY_PATH, ...log.sort()], place.record) ?? IDENTITY_PATH;
    const position = Math.floor(place.offset * this.#files.sizeOf(path));
    this.#world.trace.note(this.name, `its disk does not give ${path} back at ${position}`);
    this.#files.breakSector(path, position);
    this.#flaws.add("STORAGE_FAILED");
    this.#entrance = "repair";
  }

  /**
   * A record of the log of a node that is down is not what it was. `to` null: a bit of it is another one. Otherwise what
   * was to be its sector stands in another record instead. Not the last one, which would look like a torn write.
   */
  async spoil(place: DiskPlace, to: DiskPlace | null = null): Promise<void> {
    const files = this.#files;
    const records: WholeRecord[] = [];
    for await (const item of scanLog(files.aside(), LOG_PATH)) {
      if (item.status === "ok") records.push(item);
    }
    records.pop();
    const record = at(records, place.record);
    const other = to === null ? undefined : at(records, to.record);
    if (record === undefined || record === other) return;
    const path = `${LOG_PATH}/${record.segment}`;
    const position = record.position + Math.floor(place.offset * record.bytes);
    this.#entrance = "repair";
    if (other === undefined || to === null) {
      this.#world.trace.note(this.name, `a bit of record ${record.sequence} is another one`);
      files.flipBit(path, position, place.bit);
      return;
    }
    const sector = position - (position % SECTOR_BYTES);
    const bytes = (await files.aside().readWhole(path))?.slice(sector, sector + SECTOR_BYTES);
    if (bytes === undefined) return;
    const text = `a sector of record ${record.sequence} stands in record ${other.sequence}`;
    this.#world.trace.note(this.name, text);
    const there = other.position + Math.floor(to.offset * other.bytes);
    files.overwrite(`${LOG_PATH}/${other.segment}`, there - (there % SECTOR_BYTES), bytes);
    files.overwrite(path, sector, new Uint8Array(SECTOR_BYTES));
  }

  /**
   * While it runs a bit of its log or image turns. Whoever reads that finds it; and once the process starts anew it makes
   * it good.
   */
  async rot(place: DiskPlace, isImage: boolean): Promise<void> {
    this.#isRotten = true;
    if (isImage && this.#images.damage(place.record)) {
      this.#world.trace.note(this.name, "a record of its image is damaged");
    } else {
      await this.spoil(place);
    }
  }

  /** So much room is left on its disk. */
  fillDisk(spareBytes: number): void {
    const files = this.#files;
    this.#flaws.add("STORAGE_FULL");
    this.#world.trace.note(this.name, `has room for ${spareBytes} bytes`);
    files
      .aside()
      .space(DATA_DIRECTORY)
      .then(
        ({ totalBytes, freeBytes }) => files.setBytesMax(totalBytes - freeBytes + spareBytes),
        (error: unknown) => this.#world.fail(error),
      );
  }

  freeDisk(): void {
    this.#world.trace.note(this.name, "has room again");
    this.#files.setBytesMax(Number.MAX_SAFE_INTEGER);
    // What failed for want of room may come to light a little later.
    if (this.#flaws.delete("STORAGE_FULL")) this.#excuses.add("STORAGE_FULL");
  }

  /** To be called now and then. */
  look(): void {
    const status = this.#server?.status();
    if (status === undefined) return;
    this.#logBound.look({
      images: this.#imageNames.join(" "),
      checkpoint: status.checkpointZxid,
      isSending: status.underWay.snapshotTransfers > 0,
    });
    this.#noteServing();
  }

  /** Once it serves as a member, as far as it has applied the log, it starts as one ever after. */
  #noteServing(): void {
    if (this.#entrance === "member" && this.#memberId !== null) return;
    if (this.#server === null || !serves(this.#server)) return;
    const { nodeId, membership } = this.#server.status();
    if (membership?.members.some(({ id }) => id === nodeId) !== true) return;
    this.#entrance = "member";
    this.#memberId = nodeId;
  }

  /** Images on its disk beside the one that it stands on. */
  get spareImages(): number {
    return Math.max(0, this.#imageNames.length - 1);
  }

  get #imageNames(): readonly string[] {
    return this.#files.namesIn(DATA_DIRECTORY).filter((name) => name.startsWith(IMAGE_PREFIX));
  }

  /** Segments of its log of which nothing is of any use any more. */
  get spareSegments(): number {
    const { index } = this.#logBound;
    if (index === null) return 0;
    const names = [...this.#files.namesIn(LOG_PATH)]
      .filter((name) => !name.endsWith(".tmp"))
      .sort();
    // What one has ends where the next one begins.
    return names.slice(1).filter((name) => {
      const sector = this.#files.bytesOf(`${LOG_PATH}/${name}`, 0, SECTOR_BYTES);
      const decoded = decodeSegmentHeader(sector);
      return decoded.kind === "header" && decoded.header.lastIndex < index;
    }).length;
  }

  /** Sectors that its disk lost at crashes, of all that it wrote and did not sync. */
  get sectorsLost(): number {
    return this.#files.sectorsLost;
  }

  get isUp(): boolean {
    return !this.#clock.isDead;
  }

  get isStopped(): boolean {
    return this.#clock.isStopped;
  }

  /** Null while it starts or is down. */
  get server(): QuorateServer | null {
    return this.#server;
  }

  start(): void {
    if (this.isUp) return;
    const { network, trace, time, cores } = this.#world;
    if (this.#isDark) this.#lightUp();
    if (this.#isRotten) this.#entrance = "repair";
    this.#isRotten = false;
    this.#life += 1;
    this.#logBound = new LogBound();
    const clock = this.#newClock();
    this.#clock = clock;
    const files = this.#files;
    files.setOnStep((step) => this.#pace.onStep(clock, step));
    trace.note(this.name, `starts, life ${this.#life}`);
    const wallClock: WallClock = { nowMs: () => EPOCH_MS + time.nowMs + this.#wallJumpMs };
    QuorateServer.start({
      config: configOf(this.#world.profile, this.#number, this.#entrance),
      ports: {
        clock,
        wallClock,
        random: this.#world.stream(`${this.name} life ${this.#life}`),
        files,
        images: this.#images,
        transport: processTransport(network.transport(this.name), clock),
      },
      logger: trace.logger(this.name),
      ownsProcess: false,
      recorder: cores.listener({ node: this.name, life: this.#life }, clock, wallClock.nowMs()),
    }).then(
      (server) => {
        if (clock.isDead) return;
        this.#server = server;
        server.stopped.then(
          (reason) => this.#onEnded(clock, reason),
          (error: unknown) => this.#onEnded(clock, asError(error)),
        );
      },
      (error: unknown) => this.#onEnded(clock, asError(error)),
    );
  }

  /** `kill -9`, or with the machine a loss of power: then nobody hears of it, and what was not synced may be lost. */
  crash(withMachine: boolean): void {
    if (!this.isUp) return;
    this.#world.trace.note(this.name, withMachine ? "loses power" : "is killed");
    this.#end(withMachine);
    if (withMachine) this.#goDark();
    else this.#world.endProcess(this.name);
  }

  /** It dies as by {@link crash} at a step of its files that is to come. False: at another one already. */
  crashAt(place: StepPlace, withMachine: boolean, downMs: number): boolean {
    return this.#pace.set(place, (clock) => {
      // Whatever else it does in this moment it still does.
      this.#world.time.after(0, () => {
        if (clock.isDead) return;
        const { operation, nth, isBefore } = place;
        const text = `comes ${isBefore ? "to" : "from"} ${operation} ${nth} of its files`;
        this.#world.trace.note(this.name, text);
        this.#stepCrashes += 1;
        this.crash(withMachine);
        this.restartAfter(downMs);
      });
    });
  }

  /** No step of its files is its last one any more. */
  spare(): void {
    this.#pace.clear();
  }

  /** Asks the process to end, as SIGTERM does. False: nobody is there to hear it. */
  terminate(): boolean {
    const server = this.#server;
    if (server === null || !this.isUp || this.isStopped) return false;
    this.#world.trace.note(this.name, "is asked to stop");
    this.#excuses.add("ASKED");
    server.stop().catch((error: unknown) => this.#world.fail(error));
    return true;
  }

  /** SIGSTOP. False: it does not run. */
  stop(): boolean {
    if (!this.isUp || this.isStopped) return false;
    this.#world.trace.note(this.name, "is stopped");
    this.#clock.stop();
    this.#world.network.pause(this.name);
    return true;
  }

  /** SIGCONT. */
  resume(): void {
    if (!this.isStopped) return;
    this.#world.trace.note(this.name, "goes on");
    this.#clock.resume();
    this.#world.network.resume(this.name);
  }

  jumpWallClock(ms: number): void {
    this.#world.trace.note(this.name, `wall clock jumps by ${Math.round(ms)} ms`);
    this.#wallJumpMs += ms;
  }

  /** The next such operation of its disk fails. */
  failNext(operation: FileOperation): void {
    this.#world.trace.note(this.name, `the next ${operation} fails`);
    this.#excuses.add("STORAGE_FAILED");
    this.#files.failNext(operation, new ServerError("STORAGE_FAILED", "EIO, simulated"));
  }

  restartAfter(ms: number): void {
    this.#world.time.after(ms, () => {
      if (this.#isEnlisted) this.start();
    });
  }

  #emptyDisk(): MemoryFiles {
    return new MemoryFiles({ seed: this.#disk.nextUint32() });
  }

  #newClock(): ProcessClock {
    const { time, profile } = this.#world;
    return drawClock(time, this.#clocks, profile.clockSkewMax);
  }

  #onEnded(clock: ProcessClock, reason: Error | null): void {
    if (clock.isDead || clock !== this.#clock) return;
    this.#world.trace.note(this.name, `ends: ${String(reason)}`);
    const code = endCodeOf(reason);
    if (!this.#mayEnd(code, reason)) {
      const text = reason?.stack ?? reason?.message ?? "by itself";
      this.#world.fail(new Violation("node", `${this.name} ended: ${text}`));
      return;
    }
    this.#end(false);
    this.#world.endProcess(this.name);
    if (code === "REMOVED") {
      // Its operator takes it out of service, and may put it in again as a new node.
      this.#isEnlisted = false;
      this.wipe("join");
    } else {
      this.restartAfter(RESTART_MEAN_MS * (0.1 + 2 * this.#restarts.nextFraction()));
    }
  }

  /** Nothing but what was done to it ends a node. */
  #mayEnd(code: EndCode, reason: Error | null): boolean {
    if (this.#isRotten && isDamage(reason)) return true;
    // Whoever runs waits for room; whoever starts, or has yet to come to an ensemble, may need some at once.
    const isRunning = this.#server !== null && this.#server.status().role !== "forming";
    if (code === "STORAGE_FULL" && isRunning) return false;
    return code === "REMOVED" || this.#excuses.has(code) || this.#flaws.has(code);
  }

  /** The process is gone. With the machine goes what was not durable, as it happens; without it nothing of what was written. */
  #end(withMachine: boolean): void {
    if (this.isStopped) this.#world.network.resume(this.name);
    this.#clock.die();
    this.#excuses.clear();
    this.#server = null;
    this.#files = withMachine ? this.#files.crash() : this.#files.restart();
    this.#images = this.#images.afterCrash(this.#files);
  }

  /** Whoever has a connection with it hears nothing more, not even that it ended. */
  #goDark(): void {
    this.#isDark = true;
    for (const other of this.#world.parties) this.#world.cut.block(this.name, other);
  }

  #lightUp(): void {
    this.#isDark = false;
    this.#world.network.drop(this.name);
    for (const other of this.#world.parties) this.#world.cut.unblock(this.name, other);
  }
}

type WholeRecord = Extract<LogScanItem, { readonly status: "ok" }>;

/** What stands that far from the first to the last, from 0 to 1. */
function at<T>(choices: readonly T[], part: number): T | undefined {
  return choices[Math.min(choices.length - 1, Math.floor(part * choices.length))];
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
