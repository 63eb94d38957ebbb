import type { Membership, NodeId } from "@quorate/raft";
import type { DiskRoom, DiskWatch } from "./disk-watch.ts";
import type { Logger } from "./observe/logger.ts";
import { reached } from "./points.ts";

export interface DiskHealthOptions {
  readonly self: NodeId;
  readonly watch: DiskWatch;
  readonly logger: Logger;
  membership(): Membership;
  /** False: nothing leads to it any more, such as to a node that was removed. */
  isPeer(id: NodeId): boolean;
  /** The log waits for room. */
  isWaiting(): boolean;
  /** As many files are open as may be, and something waits to open one. */
  isOutOfFiles(): boolean;
  /** A write of the log has been outstanding for an election timeout, and the others have gone on without it. */
  isStuck(): boolean;
  /** Nothing is applied any more: whoever waits for this node had better go to another one. */
  onStanding(why: string): void;
  /** Tells a peer of this node's disk. False: it was not sent. */
  tell(peer: NodeId, room: DiskRoom): boolean;
}

/** Nodes whose full disk is remembered; there are never more members than this. */
const PEERS_MAX = 64;
/** Time between two attempts to tell those who could not be told, ms. */
const TELL_MS = 100;

/** Why the log of a node does not go on. */
type Standstill = "full" | "stuck";

const STANDSTILLS = {
  full: {
    notReady: "the log waits for room on the disk",
    line: "the disk is full: the log waits for room",
    farewell: "the disk of this server is full",
  },
  stuck: {
    notReady: "the disk does not answer",
    line: "the disk does not answer: clients are sent elsewhere",
    farewell: "the disk of this server does not answer",
  },
} as const;

const OUT_OF_FILES =
  "no more files may be opened: what needs one waits; raise the limit (ulimit -n, LimitNOFILE= of systemd)";

/**
 * Which nodes have room on their disks, as far as this one knows: its own, and what the peers say of theirs. Whoever leads
 * leaves that to a node with room, and takes in what grows the tree as long as a majority has some. A node whose log stands
 * still, for want of room or because its disk does not answer, sends its clients elsewhere.
 */
export class DiskHealth {
  readonly #options: DiskHealthOptions;
  /** Of those that do not have enough. */
  readonly #peerRooms = new Map<NodeId, DiskRoom>();
  readonly #untold = new Set<NodeId>();
  /** Whom it told last that its disk has not enough: also nodes that it does not know for members yet. */
  readonly #warned = new Set<NodeId>();
  #sinceToldMs = 0;
  #room: DiskRoom = "enough";
  #wasOutOfFiles = false;
  #standstill: Standstill | null = null;

  constructor(options: DiskHealthOptions) {
    this.#options = options;
  }

  /** As last seen, bytes; before that no end of them. */
  get freeBytes(): number {
    return this.#options.watch.freeBytes;
  }

  /** Nothing more is applied here until the log goes on, so nobody would get an answer. */
  get isStanding(): boolean {
    return this.#reason() !== null;
  }

  /** Of a peer that has said nothing it is taken for granted. */
  hasRoom(id: NodeId): boolean {
    return this.#roomOf(id) === "enough";
  }

  /** What is left is not only for the log. Of a peer that has said nothing it is taken for granted. */
  hasSpareRoom(id: NodeId): boolean {
    return this.#roomOf(id) !== "none";
  }

  #roomOf(id: NodeId): DiskRoom {
    const { self, watch } = this.#options;
    return id === self ? watch.room : (this.#peerRooms.get(id) ?? "enough");
  }

  /** Too few voters have room: what grows the tree would end up waiting for their disks. */
  refusesGrowth(): boolean {
    return this.#isLacking((room) => room === "enough");
  }

  /** Not even new sessions: what is left is for the deletes of those that are there. */
  refusesSessions(): boolean {
    return this.#isLacking((room) => room !== "none");
  }

  #isLacking(suffices: (room: DiskRoom) => boolean): boolean {
    const { voters, outgoingVoters } = this.#options.membership();
    const isMinority = (ids: readonly NodeId[]): boolean =>
      ids.filter((id) => suffices(this.#roomOf(id))).length * 2 <= ids.length;
    return isMinority(voters) || (outgoingVoters.length > 0 && isMinority(outgoingVoters));
  }

  /** Reasons why this node is not what it should be. */
  notReady(): readonly string[] {
    const standstill = this.#reason();
    return [
      ...(this.#options.watch.isFull ? ["the disk is full"] : []),
      ...(this.#options.isOutOfFiles() ? ["no more files may be opened"] : []),
      ...(standstill === null ? [] : [STANDSTILLS[standstill].notReady]),
    ];
  }

  onTick(elapsedMs: number): void {
    this.#options.watch.onTick(elapsedMs);
    this.#sayIfOutOfFiles();
    this.#sayWhatChanged();
    this.#sinceToldMs += elapsedMs;
    if (this.#untold.size === 0 || this.#sinceToldMs < TELL_MS) return;
    this.#sinceToldMs = 0;
    for (const peer of this.#untold) {
      if (this.#options.isPeer(peer)) this.#tell(peer);
      else this.#forget(peer);
    }
  }

  /** A peer says how it is with its disk. */
  onPeerDisk(peer: NodeId, room: DiskRoom): void {
    if (room === "enough") {
      this.#peerRooms.delete(peer);
      return;
    }
    reached("peer_says_its_disk_is_full");
    // Only now: one that is still to be taken in may say it before anything leads to it.
    if (this.#peerRooms.size >= PEERS_MAX) this.#forgetGone();
    if (this.#peerRooms.size < PEERS_MAX) this.#peerRooms.set(peer, room);
  }

  #forgetGone(): void {
    for (const peer of this.#peerRooms.keys()) {
      if (!this.#options.isPeer(peer)) this.#peerRooms.delete(peer);
    }
  }

  /** What it was told before may not have arrived. */
  onPeerUp(peer: NodeId): void {
    this.#tell(peer);
  }

  #reason(): Standstill | null {
    if (this.#options.isWaiting()) return "full";
    return this.#options.isStuck() ? "stuck" : null;
  }

  #sayIfOutOfFiles(): void {
    const { logger } = this.#options;
    const isOutOfFiles = this.#options.isOutOfFiles();
    if (isOutOfFiles === this.#wasOutOfFiles) return;
    this.#wasOutOfFiles = isOutOfFiles;
    if (isOutOfFiles) logger.error({}, OUT_OF_FILES);
    else logger.info({}, "files can be opened again");
  }

  #sayWhatChanged(): void {
    const { watch, logger, self } = this.#options;
    const standstill = this.#reason();
    if (standstill !== this.#standstill) {
      this.#standstill = standstill;
      if (standstill === null) {
        logger.info({}, "the log goes on");
      } else {
        if (standstill === "stuck") reached("disk_stuck_while_others_went_on");
        this.#options.onStanding(STANDSTILLS[standstill].farewell);
        logger.error({}, STANDSTILLS[standstill].line);
      }
    }
    const { room, freeBytes } = watch;
    if (room === this.#room) return;
    if (room === "enough") reached("disk_has_room_again");
    const wasFull = this.#room !== "enough";
    this.#room = room;
    if (room === "enough") logger.info({ freeBytes }, "the disk has room again");
    else if (!wasFull) logger.warn({ freeBytes }, "the disk is full: others lead if they can");
    const { members } = this.#options.membership();
    const peers = new Set([...members.map(({ id }) => id), ...this.#warned]);
    peers.delete(self);
    for (const id of peers) this.#tell(id);
  }

  #tell(peer: NodeId): void {
    if (!this.#options.tell(peer, this.#room)) {
      this.#untold.add(peer);
      return;
    }
    this.#untold.delete(peer);
    if (this.#room === "enough") this.#warned.delete(peer);
    else this.#warned.add(peer);
  }

  #forget(peer: NodeId): void {
    this.#untold.delete(peer);
    this.#warned.delete(peer);
  }
}
