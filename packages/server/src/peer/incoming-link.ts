import type { NodeId } from "@quorate/raft";
import { ServerError } from "../errors.ts";
import type { PeerLimits } from "../limits.ts";
import { reached } from "../points.ts";
import type { Connection, MonotonicClock, Timer } from "../ports.ts";
import { violation } from "./byte-reader.ts";
import type { PeerEnvelope, PeerHello, PeerWelcome } from "./envelope.ts";
import {
  PING_FRAME,
  PONG_FRAME,
  decodePeerHello,
  encodePeerWelcome,
  type OtherVersion,
} from "./greeting-codec.ts";
import type { LinkTiming } from "./link-timing.ts";
import { ENVELOPES_FRAME, decodePeerFrame } from "./peer-codec.ts";
import { goodbyeToClient, isClientHello } from "./stray-client.ts";

/** Who runs an incoming link. */
export interface IncomingLinkOwner {
  /** Answers with `welcome` or `refuse`, or destroys the link. */
  onHello(link: IncomingLink, hello: PeerHello | OtherVersion): void;
  /** A client came here; it is turned away. Returns where clients reach this node. */
  onClient(link: IncomingLink): string;
  onEnvelopes(link: IncomingLink, envelopes: readonly PeerEnvelope[], bytes: number): void;
  /** Once, unless the link was destroyed by its owner. */
  onClosed(link: IncomingLink, reason: string): void;
}

/** Bounds of what a link takes in. */
export type IncomingLimits = Pick<
  PeerLimits,
  "turnBytesMax" | "turnEnvelopesMax" | "unreadBytesMax"
>;

export interface IncomingLinkOptions {
  readonly clock: MonotonicClock;
  readonly timing: LinkTiming;
  readonly limits: IncomingLimits;
  readonly owner: IncomingLinkOwner;
}

/**
 * What one peer sends to this node comes through this. The first frame has to say who is speaking; until the owner has
 * welcomed it nothing else is heard.
 */
export class IncomingLink {
  readonly #connection: Connection;
  readonly #owner: IncomingLinkOwner;
  readonly #clock: MonotonicClock;
  readonly #timing: LinkTiming;
  readonly #limits: IncomingLimits;
  #phase: "greeting" | "up" | "closed" = "greeting";
  #hello: PeerHello | null = null;
  #greetingTimer: Timer | null;
  #silentKeepalives = 0;
  #turnBytes = 0;
  #turnEnvelopes = 0;

  constructor(connection: Connection, { clock, timing, limits, owner }: IncomingLinkOptions) {
    this.#connection = connection;
    this.#owner = owner;
    this.#clock = clock;
    this.#timing = timing;
    this.#limits = limits;
    this.#greetingTimer = clock.after(timing.greetingTimeoutMs, () => this.#end("no hello came"));
    connection.setHandlers({
      onFrame: (frame) => this.#onFrame(frame),
      onClose: (reason) => this.#end(reason),
    });
  }

  get remote(): string {
    return this.#connection.remote;
  }

  /** Who is speaking; null before it was welcomed. */
  get hello(): PeerHello | null {
    return this.#hello;
  }

  get peer(): NodeId | null {
    return this.#hello?.nodeId ?? null;
  }

  /** The peer may send. */
  welcome(hello: PeerHello, welcome: PeerWelcome): void {
    if (this.#phase !== "greeting") return;
    this.#phase = "up";
    this.#hello = hello;
    this.#cancelTimer();
    this.#connection.send(encodePeerWelcome(welcome));
  }

  /** Tells why not, and ends the link without a call to its owner. */
  refuse(refusal: PeerWelcome): void {
    this.#endWith(encodePeerWelcome(refusal));
  }

  /** Ends the link without a call to its owner. */
  destroy(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#cancelTimer();
    this.#connection.destroy();
  }

  /** Called once per keepalive interval: the dialling side asks at least that often. */
  onKeepalive(): void {
    if (this.#phase !== "up") return;
    if (this.#silentKeepalives >= this.#timing.silentIncomingMax) {
      reached("incoming_link_silent");
      this.#end("the peer is silent");
    } else {
      this.#silentKeepalives += 1;
    }
  }

  #onFrame(frame: Uint8Array): void {
    if (this.#phase === "closed") return;
    this.#silentKeepalives = 0;
    try {
      this.#dispatch(frame);
    } catch (error) {
      if (!(error instanceof ServerError) || error.code !== "PEER_PROTOCOL") throw error;
      reached("peer_broke_the_protocol");
      this.#end(error.message);
    }
  }

  #dispatch(frame: Uint8Array): void {
    const kind = frame[0];
    if (this.#phase === "greeting") {
      if (isClientHello(frame)) this.#endWith(goodbyeToClient(this.#owner.onClient(this)));
      else this.#owner.onHello(this, decodePeerHello(frame));
    } else if (kind === ENVELOPES_FRAME) {
      const envelopes = decodePeerFrame(frame);
      this.#owner.onEnvelopes(this, envelopes, frame.length);
      this.#count(frame.length, envelopes.length);
    } else if (kind === PING_FRAME && frame.length === 1) {
      if (this.#connection.bufferedBytes > this.#limits.unreadBytesMax) {
        throw violation("the peer does not read");
      }
      this.#connection.send(Uint8Array.of(PONG_FRAME));
      this.#count(frame.length, 1);
    } else {
      throw violation("unexpected frame");
    }
  }

  /** What comes on top of the bounds waits in the network until this node has worked on what it took in. */
  #count(bytes: number, envelopes: number): void {
    const isFirst = this.#turnBytes === 0;
    const wasWithin = this.#isWithinTurn;
    this.#turnBytes += bytes;
    this.#turnEnvelopes += envelopes;
    if (wasWithin && !this.#isWithinTurn) {
      reached("peer_paused_until_its_frames_are_done");
      this.#connection.pause();
    }
    if (isFirst) this.#clock.endOfTurn(() => this.#onTurnEnd());
  }

  get #isWithinTurn(): boolean {
    const { turnBytesMax, turnEnvelopesMax } = this.#limits;
    return this.#turnBytes < turnBytesMax && this.#turnEnvelopes < turnEnvelopesMax;
  }

  #onTurnEnd(): void {
    const isPaused = !this.#isWithinTurn;
    this.#turnBytes = 0;
    this.#turnEnvelopes = 0;
    if (isPaused && this.#phase !== "closed") this.#connection.resume();
  }

  #endWith(frame: Uint8Array): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#cancelTimer();
    this.#connection.send(frame);
    this.#connection.close();
  }

  #end(reason: string): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#cancelTimer();
    this.#connection.destroy();
    this.#owner.onClosed(this, reason);
  }

  #cancelTimer(): void {
    this.#greetingTimer?.cancel();
    this.#greetingTimer = null;
  }
}
