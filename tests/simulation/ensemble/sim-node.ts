import { nodeId, type NodeId } from "@quorate/raft";
import { ServerError, isDamage } from "../../../packages/server/src/errors.ts";
import {
  MemoryFiles,
  type FileOperation,
} from "../../../packages/server/src/memory/memory-files.ts";
import { MemoryImageStores } from "../../../packages/server/src/memory/memory-image-stores.ts";
import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { WallClock } from "../../../packages/server/src/ports.ts";
import { QuorateServer } from "../../../packages/server/src/quorate-server.ts";
import { IMAGE_PREFIX } from "../../../packages/server/src/storage/data-directory.ts";
import { Violation } from "../violation.ts";
import type { DiskCopy } from "./disk-copy.ts";
import {
  breakSector,
  DATA_DIRECTORY,
  flipBitOfLog,
  loseTail,
  newestSetAside,
  segmentsBefore,
  spoilRecord,
} from "./disk-damage.ts";
import { DiskPace, type DiskMood } from "./disk-pace.ts";
import { asError, endCodeOf, type EndCode } from "./end-code.ts";
import type { DiskPlace, StepPlace, TailLoss } from "./fault-event.ts";
import { LogBound } from "./log-bound.ts";
import { CLIENT_PORT, configOf, type Start } from "./node-config.ts";
import { drawClock, type ProcessClock } from "./process-clock.ts";
import { processTransport } from "./process-transport.ts";
import { Rot } from "./rot.ts";
import { serves } from "./serves.ts";
import type { World } from "./world.ts";

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
  #entrance: Start;
  /** What of all that it has stored turned while it ran, since it started last. */
  readonly #rot = new Rot();
  #isEnlisted: boolean;
  /** What was done to this life of its process, or to the disk under it, that may end it. */
  readonly #excuses = new Set<EndCode>();
  /** The same of all lives on this disk. */
  readonly #flaws = new Set<EndCode>();
  #stepCrashes = 0;
  /** Of the node that it was when it was last a member; null: never, since its disk was empty. */
  #memberId: number | null = null;
  /** Under which it was last seen to run; null: not since its disk was empty. */
  #nodeId: NodeId | null = null;
  /** The id under which it may lack what it promised; null: it lacks nothing. */
  #forgotten: NodeId | null = null;
  /** The newest of the folders with data that it set aside. */
  #setAside = 0;

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
    return !this.#isRotting && !this.isDoomed;
  }

  get #isRotting(): boolean {
    const storage = { files: this.#files, images: this.#images };
    return this.isUp ? this.#rot.isThere(storage) : this.#rot.hasBegun;
  }

  /** It has no right to its vote any more, and is to get another one. */
  get isDoomed(): boolean {
    return this.#entrance !== "member" && this.#entrance !== "join";
  }

  /** Nothing that was done to it ends it, as far as it does not end by its own decision. */
  get isUnharmed(): boolean {
    return this.#excuses.size === 0 && this.#flaws.size === 0;
  }

  /** Under which it was last seen to run; null: not since its disk was empty. */
  get nodeId(): NodeId | null {
    return this.#nodeId;
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
    this.#rot.clear();
    this.#memberId = null;
    this.#nodeId = null;
    this.#forgotten = null;
    this.#setAside = 0;
    this.#files = this.#emptyDisk();
    this.#flaws.clear();
    this.#images = new MemoryImageStores(this.#files);
  }

  /** A bit of the log of a node that is down is another one. */
  damage(place: DiskPlace): void {
    this.#noteDamage(flipBitOfLog(this.#files, place));
  }

  /** The disk of a node that is down does not give one sector back. */
  breakSector(place: DiskPlace): void {
    this.#flaws.add("STORAGE_FAILED");
    this.#noteDamage(breakSector(this.#files, place));
  }

  /** A record of the log of a node that is down is not what it was: a bit of it, or one of its sectors stands elsewhere. */
  async spoil(place: DiskPlace, to: DiskPlace | null = null): Promise<void> {
    this.#noteDamage(await spoilRecord(this.#files, place, to));
  }

  /** It loses power, and the end of its log; what it cannot find out by itself is forgiven. Only where it may forget (`Losses`). */
  loseTail(loss: TailLoss): void {
    const { forgiven } = this.#world.cores.specification;
    const id = this.#nodeId;
    if (id === null) return;
    forgiven.forget(id, false);
    this.crash(true);
    const files = this.#files;
    files.setOnStep(null);
    loseTail(files, loss, forgiven.membershipIndexOf(id)).then(
      (lost) => {
        this.#noteDamage(lost?.text ?? null);
        if (lost === null || lost.isEvident) forgiven.remember(id);
        else this.#forgotten = id;
      },
      (error: unknown) => this.#world.fail(error),
    );
  }

  /** Its disk as it is now. */
  copyDisk(): DiskCopy {
    const files = this.#files.copy(this.#disk.nextUint32());
    const images = this.#images.copyFor(files);
    const id = this.#nodeId;
    const { forgiven } = this.#world.cores.specification;
    return { files, images, id, members: id === null ? 0 : forgiven.membershipIndexOf(id) };
  }

  /** It loses power, and its disk is as it was when it was copied. To be called where it may turn back (`Losses`). */
  turnBack({ files, images, id }: DiskCopy): void {
    if (id === null) return;
    this.#world.cores.specification.forgiven.forget(id, true);
    this.crash(true);
    this.#files = files.crash();
    this.#images = images.afterCrash(this.#files);
    this.#setAside = newestSetAside(this.#files);
    this.#forgotten = id;
    this.#noteDamage("has what was on its disk at an earlier moment");
  }

  /** While it runs a bit of its log or image turns; who reads that finds it. Once it starts anew it makes it good. */
  async rot(place: DiskPlace, isImage: boolean): Promise<void> {
    const storage = { files: this.#files, images: this.#images };
    const text = await this.#rot.turn(storage, place, isImage);
    if (text !== null) this.#world.trace.note(this.name, text);
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
    const { nodeId: id, membership } = this.#server.status();
    if (membership?.members.some((member) => member.id === id) !== true) return;
    const forgotten = this.#forgotten;
    const { forgiven } = this.#world.cores.specification;
    if (forgotten !== null && forgotten === id && !forgiven.isWhole(forgotten)) return;
    this.#forgotten = null;
    this.#entrance = "member";
    this.#memberId = id;
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
    return index === null ? 0 : segmentsBefore(this.#files, index);
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
    if (this.#rot.hasBegun) this.#entrance = "repair";
    this.#rot.clear();
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
        this.#nodeId = nodeId(server.status().nodeId);
        this.#checkSetAside();
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
    if (!this.#isRotting) this.#rot.clear();
    this.#end(withMachine);
    if (withMachine) this.#goDark();
    else this.#world.endProcess(this.name);
  }

  /** It dies as by {@link crash} at a step of its files that is to come, unless it is needed then. False: at another one already. */
  crashAt(place: StepPlace, withMachine: boolean, downMs: number): boolean {
    const { time, trace, losses } = this.#world;
    return this.#pace.set(place, (clock) => {
      if (!losses.mayGoDown(this)) return false;
      // Whatever else it does in this moment it still does.
      time.after(0, () => {
        if (clock.isDead) return;
        const { operation, nth, isBefore } = place;
        trace.note(this.name, `comes ${isBefore ? "to" : "from"} ${operation} ${nth} of its files`);
        this.#stepCrashes += 1;
        this.crash(withMachine);
        this.restartAfter(downMs);
      });
      return true;
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

  #noteDamage(text: string | null): void {
    if (text === null) return;
    this.#world.trace.note(this.name, text);
    this.#entrance = "repair";
  }

  /** What looks damaged was damaged on purpose, or it is the server's own fault. */
  #checkSetAside(): void {
    const newest = newestSetAside(this.#files);
    if (newest > this.#setAside && !this.isDoomed) {
      this.#world.fail(new Violation("node", `${this.name} sets aside what nobody has damaged`));
    }
    this.#setAside = newest;
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
    this.#checkSetAside();
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
    if (isDamage(reason) && (this.#rot.hasBegun || this.#forgotten !== null)) {
      if (this.#server !== null) this.#world.losses.checkDeparture(this);
      return true;
    }
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
