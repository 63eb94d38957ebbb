import type { Member, NodeId } from "@quorate/raft";
import { parseAddresses, type HostPort } from "../config/address.ts";
import { ServerError } from "../errors.ts";
import type { PeerLimits } from "../limits.ts";
import type { Logger } from "../observe/logger.ts";
import { reached } from "../points.ts";
import type { Connection, MonotonicClock, Random, Timer, Transport } from "../ports.ts";
import { violation } from "./byte-reader.ts";
import type { PeerEnvelope, PeerHello, PeerWelcome } from "./envelope.ts";
import { PING_FRAME, PONG_FRAME, decodePeerWelcome, encodePeerHello } from "./greeting-codec.ts";
import type { LinkTiming } from "./link-timing.ts";
import type { BlockFor } from "./peer-codec.ts";
import { SendQueue } from "./send-queue.ts";

/** A node to keep a link to. `id` null: not known yet, whoever answers there under its name is it. */
export interface PeerTarget extends Pick<Member, "name" | "peerAddress"> {
  readonly id: NodeId | null;
}

/** What every link needs. */
export interface LinkPorts {
  readonly transport: Transport;
  readonly clock: MonotonicClock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits: PeerLimits;
  readonly timing: LinkTiming;
  readonly blockFor: BlockFor;
}

/** Who runs an outgoing link. */
export interface OutgoingLinkOwner {
  nextHello(): PeerHello;
  /** False: the link may not be used. A refusal is told too. */
  onWelcome(link: OutgoingLink, welcome: PeerWelcome): boolean;
  onUp(link: OutgoingLink): void;
  onDown(link: OutgoingLink): void;
  onSent(frames: number, bytes: number): void;
}

const REFUSED = "refused: ";

type Phase = "idle" | "dialling" | "greeting" | "up" | "closed";

/**
 * What this node sends to one peer goes through this: one connection at a time, dialled again for as long as the link is
 * not closed, to the next of the peer's addresses each time. Only answers to the greeting and to keepalives come back.
 */
export class OutgoingLink {
  readonly #ports: LinkPorts;
  readonly #owner: OutgoingLinkOwner;
  readonly #queue: SendQueue;
  readonly #addresses: readonly HostPort[];
  #target: PeerTarget;
  #phase: Phase = "idle";
  /** Rises with every attempt: what an older one still has to say is not heard. */
  #attempt = 0;
  #addressAt = 0;
  /** Attempts since the last link that lasted. */
  #failures = 0;
  #connection: Connection | null = null;
  #timer: Timer | null = null;
  #peer: NodeId | null = null;
  /** The last answer was none. */
  #isUnintelligible = false;
  #silentKeepalives = 0;
  #bufferedBefore = 0;
  #lastReason = "";

  constructor(target: PeerTarget, ports: LinkPorts, owner: OutgoingLinkOwner) {
    this.#target = target;
    this.#ports = ports;
    this.#owner = owner;
    this.#queue = new SendQueue(ports.limits);
    this.#addresses = parseAddresses(target.peerAddress, `peer address of ${target.name}`);
  }

  get target(): PeerTarget {
    return this.#target;
  }

  get isUp(): boolean {
    return this.#phase === "up";
  }

  /** Who answered; null while nobody has. */
  get peer(): NodeId | null {
    return this.#peer;
  }

  /** Bytes that wait here or in the connection. */
  get bufferedBytes(): number {
    return this.#queue.bytes + (this.#connection?.bufferedBytes ?? 0);
  }

  /** The target's id became known, or stayed what it was. False: the link leads to somebody else and has to go. */
  retarget(target: PeerTarget): boolean {
    if (target.peerAddress !== this.#target.peerAddress) return false;
    const known = this.#peer ?? this.#target.id;
    if (known !== null && target.id !== null && known !== target.id) return false;
    this.#target = target;
    return true;
  }

  /**
   * Dials unless an attempt is under way already: the peer has just shown that it is there. Not one whose answer made no
   * sense: if neither side understood the other's, each attempt would set off the next.
   */
  dialNow(): void {
    if (this.#phase !== "idle" || this.#isUnintelligible) return;
    this.#dialAgain();
  }

  #dialAgain(): void {
    this.#cancelTimer();
    this.#dial();
  }

  /** False: the link is down or full, nothing was queued. */
  send(envelope: PeerEnvelope): boolean {
    const connection = this.#connection;
    if (this.#phase !== "up" || connection === null) return false;
    return this.#queue.offer(envelope, connection.bufferedBytes);
  }

  /** What was queued leaves. */
  flush(): void {
    const connection = this.#connection;
    if (this.#phase !== "up" || connection === null || this.#queue.bytes === 0) return;
    const before = this.#queue.bytes;
    const frames = this.#queue.drainTo(connection, this.#ports.blockFor);
    this.#owner.onSent(frames, before - this.#queue.bytes);
  }

  /** Called once per keepalive interval. */
  onKeepalive(): void {
    const connection = this.#connection;
    if (this.#phase !== "up" || connection === null) return;
    const buffered = connection.bufferedBytes;
    // A slow network that takes what we send is alive, although the answer is behind all of it.
    if (buffered < this.#bufferedBefore) this.#silentKeepalives = 0;
    this.#bufferedBefore = buffered;
    if (this.#silentKeepalives >= this.#ports.timing.silentKeepalivesMax) {
      reached("outgoing_link_silent");
      this.#fail("the peer is silent");
      return;
    }
    this.#silentKeepalives += 1;
    connection.send(Uint8Array.of(PING_FRAME));
  }

  /** Lets what was queued leave, then ends the link for good. The owner is not told. */
  close(): void {
    if (this.#phase === "closed") return;
    this.flush();
    this.#phase = "closed";
    this.#attempt += 1;
    this.#cancelTimer();
    this.#connection?.close();
    this.#connection = null;
    this.#queue.clear();
  }

  #dial(): void {
    const address = this.#addresses[this.#addressAt % this.#addresses.length];
    if (address === undefined) return;
    this.#phase = "dialling";
    this.#isUnintelligible = false;
    this.#attempt += 1;
    const attempt = this.#attempt;
    const { transport, timing, limits } = this.#ports;
    const dialled = transport.dial({
      ...address,
      frameBytesMax: limits.frameBytesMax,
      timeoutMs: timing.dialTimeoutMs,
      handlers: {
        onFrame: (frame) => this.#onFrame(attempt, frame),
        onClose: (reason) => {
          if (attempt === this.#attempt) this.#fail(reason);
        },
      },
    });
    dialled.then(
      (connection) => this.#onDialled(attempt, connection),
      (error: unknown) => {
        if (attempt === this.#attempt) this.#fail(reasonOf(error));
      },
    );
  }

  #onDialled(attempt: number, connection: Connection): void {
    if (attempt !== this.#attempt) {
      reached("connection_came_after_its_attempt");
      connection.destroy();
      return;
    }
    this.#connection = connection;
    this.#phase = "greeting";
    this.#timer = this.#ports.clock.after(this.#ports.timing.greetingTimeoutMs, () =>
      this.#fail("the peer did not answer the hello"),
    );
    connection.send(encodePeerHello(this.#owner.nextHello()));
  }

  #onFrame(attempt: number, frame: Uint8Array): void {
    if (attempt !== this.#attempt) return;
    this.#silentKeepalives = 0;
    try {
      if (this.#phase === "up") this.#onPong(frame);
      else this.#onGreeting(attempt, decodePeerWelcome(frame));
    } catch (error) {
      if (!(error instanceof ServerError) || error.code !== "PEER_PROTOCOL") throw error;
      if (attempt !== this.#attempt) return;
      reached("answer_of_peer_not_understood");
      this.#failSlowly(error.message);
      this.#isUnintelligible = true;
    }
  }

  #onPong(frame: Uint8Array): void {
    if (frame.length !== 1 || frame[0] !== PONG_FRAME) throw violation("unexpected frame");
    // The link lasted: when it breaks, the next attempt comes soon.
    this.#failures = 0;
  }

  #onGreeting(attempt: number, welcome: PeerWelcome): void {
    const accepted = this.#owner.onWelcome(this, welcome);
    // The owner may have closed this link while it looked at the answer.
    if (attempt !== this.#attempt) return;
    if (welcome.kind === "refused") {
      reached("peer_refused_this_node");
      this.#failSlowly(`${REFUSED}${welcome.code}, ${welcome.message}`);
      return;
    }
    const expected = this.#target.id;
    if (!accepted || (expected !== null && expected !== welcome.nodeId)) {
      reached("another_node_answered");
      this.#failSlowly(`the node there is ${welcome.name} (${welcome.nodeId}), not the one wanted`);
      return;
    }
    this.#cancelTimer();
    this.#phase = "up";
    this.#peer = welcome.nodeId;
    this.#bufferedBefore = 0;
    this.#lastReason = "";
    this.#owner.onUp(this);
  }

  /** A refusal is not going to be another one soon. */
  #failSlowly(reason: string): void {
    const { retryMinMs, retryMaxMs } = this.#ports.timing;
    const doublings = Math.ceil(Math.log2(retryMaxMs / retryMinMs));
    this.#failures = Math.max(this.#failures, (doublings + 1) * this.#addresses.length);
    this.#fail(reason);
  }

  #fail(reason: string): void {
    const wasUp = this.#phase === "up";
    this.#phase = "idle";
    this.#attempt += 1;
    this.#cancelTimer();
    this.#connection?.destroy();
    this.#connection = null;
    this.#silentKeepalives = 0;
    this.#queue.clear();
    this.#log(wasUp, reason);
    const delayMs = this.#retryDelayMs();
    this.#failures += 1;
    this.#addressAt += 1;
    this.#timer = this.#ports.clock.after(delayMs, () => this.#dialAgain());
    if (!wasUp) return;
    reached("peer_link_lost");
    this.#owner.onDown(this);
    this.#peer = null;
  }

  /** A peer that stays away is told of once, not twice a second. */
  #log(wasUp: boolean, reason: string): void {
    const fields = { peer: this.#target.name, reason };
    const { logger } = this.#ports;
    if (wasUp) logger.warn(fields, "link to peer lost");
    else if (reason === this.#lastReason) return;
    else if (reason.startsWith(REFUSED)) logger.warn(fields, "the peer refuses this node");
    else logger.info(fields, "no link to peer yet");
    this.#lastReason = reason;
  }

  /** All addresses are tried one right after the other; rounds are spaced, with jitter so that nodes do not march in step. */
  #retryDelayMs(): number {
    if ((this.#failures + 1) % this.#addresses.length !== 0) {
      reached("next_address_of_peer_tried");
      return 0;
    }
    const round = Math.floor(this.#failures / this.#addresses.length);
    const { retryMinMs, retryMaxMs } = this.#ports.timing;
    const fullMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(round, 30));
    const byte = this.#ports.random.bytes(1)[0] ?? 0;
    return fullMs * (0.5 + byte / 512);
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
