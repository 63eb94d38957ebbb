import type { NodeId } from "@quorate/raft";
import type { HostPort } from "../config/address.ts";
import type { PeerLimits } from "../limits.ts";
import type { Logger } from "../observe/logger.ts";
import type { Counters } from "../observe/metrics.ts";
import { reached } from "../points.ts";
import type { Connection, Listener, MonotonicClock, Random, Timer, Transport } from "../ports.ts";
import { violation } from "./byte-reader.ts";
import {
  PEER_PROTOCOL_VERSION,
  type PeerEnvelope,
  type PeerHello,
  type PeerWelcome,
} from "./envelope.ts";
import type { OtherVersion } from "./greeting-codec.ts";
import { IncomingLink } from "./incoming-link.ts";
import { isLaterLink, LinkNonces } from "./link-nonce.ts";
import { LINK_TIMING, type LinkTiming } from "./link-timing.ts";
import { OutgoingLink, type LinkPorts, type PeerTarget } from "./outgoing-link.ts";
import type { BlockFor } from "./peer-codec.ts";

export type { PeerTarget } from "./outgoing-link.ts";

/** Incoming links carry what a peer says to this node, outgoing ones what this node says to it. */
export type LinkDirection = "incoming" | "outgoing";

/** What a node says in its hellos; the network numbers them. */
export type PeerIdentity = Omit<PeerHello, "linkNonce">;

/** Who decides and who listens. Hooks may call any method of the network. */
export interface PeerNetworkHooks {
  /** Who this node is now. */
  hello(): PeerIdentity;
  /** Somebody of this protocol version introduced itself: take it in or refuse it. */
  onHello(hello: PeerHello, remote: string): PeerWelcome;
  /** A target answered, possibly with a refusal. False: the link may not be used; it is tried again later. */
  onWelcome(target: PeerTarget, welcome: PeerWelcome): boolean;
  /** `from` is who the link belongs to; every raft message in it was checked to be from it and to this node. */
  onFrame(from: NodeId, envelopes: readonly PeerEnvelope[]): void;
  /** Also when the link replaces an older one: what was under way on that may be lost. */
  onLinkUp(peer: NodeId, direction: LinkDirection): void;
  /** At once when a link closes. A link that was replaced by a newer one is not down. */
  onLinkDown(peer: NodeId, direction: LinkDirection): void;
}

/** Totals the network adds to. */
export type PeerCounters = Pick<
  Counters,
  "peerFramesIn" | "peerFramesOut" | "peerBytesIn" | "peerBytesOut" | "peerDrops"
>;

/** What {@link PeerNetwork} needs. */
export interface PeerNetworkOptions {
  readonly self: { readonly nodeId: NodeId; readonly name: string };
  readonly listen: HostPort;
  readonly transport: Transport;
  readonly clock: MonotonicClock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits: PeerLimits;
  /** Default: {@link LINK_TIMING}. */
  readonly timing?: LinkTiming;
  readonly counters: PeerCounters;
  /** The encoded form of entries that are sent; asked in `flush`, once for each appendEntries that has any. */
  readonly blockFor: BlockFor;
  readonly hooks: PeerNetworkHooks;
}

/**
 * The links between this node and its peers. Each pair has two: a node dials everybody it has something to say to, and
 * hears what others say on the links they dialled. Whatever a peer does wrong ends its link and disturbs nobody else.
 */
export class PeerNetwork implements AsyncDisposable {
  readonly #options: PeerNetworkOptions;
  readonly #timing: LinkTiming;
  readonly #linkPorts: LinkPorts;
  readonly #nonces: LinkNonces;
  readonly #outgoing = new Map<string, OutgoingLink>();
  readonly #outgoingById = new Map<NodeId, OutgoingLink>();
  readonly #incoming = new Map<NodeId, IncomingLink>();
  /** Not introduced yet, oldest first. */
  readonly #greeting = new Set<IncomingLink>();
  #listener: Listener | null = null;
  #keepalive: Timer | null = null;
  #closed = false;
  /** Who was refused last, and why. */
  #lastRefusal = "";

  constructor(options: PeerNetworkOptions) {
    const { transport, clock, random, logger, limits, blockFor } = options;
    this.#options = options;
    this.#timing = options.timing ?? LINK_TIMING;
    const timing = this.#timing;
    this.#linkPorts = { transport, clock, random, logger, limits, timing, blockFor };
    this.#nonces = new LinkNonces(random);
  }

  /** Starts to listen. Fails with ADDRESS_IN_USE or ADDRESS_UNAVAILABLE. */
  async start(): Promise<void> {
    const { transport, listen, limits, clock } = this.#options;
    const listener = await transport.listen({
      ...listen,
      frameBytesMax: limits.frameBytesMax,
      firstFrameBytesMax: limits.helloBytesMax,
      connectionsMax: limits.linksMax + 2 * limits.greetingMax,
      otherSocketsMax: limits.otherSocketsMax,
      allowedOrigins: [],
      http: null,
      accept: (connection) => this.#accept(connection),
    });
    if (this.#closed) {
      await listener.close();
      return;
    }
    this.#listener = listener;
    this.#keepalive = clock.every(this.#timing.keepaliveMs, () => this.#onKeepalive());
  }

  /** The port that is listened on; 0 before the start. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** Names of the peers this node has a link to, sorted. */
  get connectedNames(): readonly string[] {
    const names: string[] = [];
    for (const [name, link] of this.#outgoing) if (link.isUp) names.push(name);
    return names.sort();
  }

  /** Bytes on their way to all peers that the network has not taken yet. */
  get bufferedBytesTotal(): number {
    let bytes = 0;
    for (const link of this.#outgoing.values()) bytes += link.bufferedBytes;
    return bytes;
  }

  /**
   * Keeps a link to each of these, and to nobody else; this node itself is left out. Links of identities that were members
   * and are not any more end, in both directions.
   */
  setMembers(members: readonly PeerTarget[]): void {
    if (this.#closed) return;
    const wanted = new Map<string, PeerTarget>();
    for (const member of members) {
      if (member.name !== this.#options.self.name && member.id !== this.#options.self.nodeId)
        wanted.set(member.name, member);
    }
    const ids = new Set<NodeId>();
    for (const target of wanted.values()) if (target.id !== null) ids.add(target.id);
    const links = [...this.#outgoing.values()];
    for (const link of links) this.#reconsider(link, wanted.get(link.target.name), ids);
    for (const target of wanted.values()) {
      if (!this.#outgoing.has(target.name)) this.#open(target);
    }
  }

  /** Ends every link, in both directions, and dials again: what nodes said to each other when they met is of the past. */
  greetAnew(): void {
    const targets = [...this.#outgoing.values()].map(({ target }) => target);
    for (const peer of [...this.#incoming.keys()]) this.#dropIncoming(peer);
    this.setMembers([]);
    this.setMembers(targets);
  }

  /** True if what is sent to the node now can leave. */
  isUp(to: NodeId): boolean {
    return this.#outgoingById.has(to);
  }

  /** Bytes on their way to a node that the network has not taken yet; 0 without a link. */
  bufferedBytes(to: NodeId): number {
    return this.#outgoingById.get(to)?.bufferedBytes ?? 0;
  }

  /**
   * Queues an envelope until `flush`. False: the link is down, full (entries and proposals sooner than the rest, snapshot
   * pieces soonest) or the envelope larger than a frame; nothing was queued.
   */
  send(to: NodeId, envelope: PeerEnvelope): boolean {
    const link = this.#outgoingById.get(to);
    const sent = link !== undefined && link.send(envelope);
    if (!sent) this.#options.counters.peerDrops += 1;
    return sent;
  }

  /** What was queued leaves, one frame per peer unless it is large. Call it once per turn. */
  flush(): void {
    for (const link of this.#outgoingById.values()) link.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#keepalive?.cancel();
    for (const link of this.#outgoing.values()) link.close();
    for (const link of this.#incoming.values()) link.destroy();
    for (const link of this.#greeting) link.destroy();
    this.#outgoing.clear();
    this.#outgoingById.clear();
    this.#incoming.clear();
    this.#greeting.clear();
    await this.#listener?.close();
  }

  #open(target: PeerTarget): void {
    const link = new OutgoingLink(target, this.#linkPorts, {
      nextHello: () => ({ ...this.#options.hooks.hello(), linkNonce: this.#nonces.next() }),
      onWelcome: (from, welcome) => this.#options.hooks.onWelcome(from.target, welcome),
      onUp: (up) => this.#onOutgoingUp(up),
      onDown: (down) => this.#onOutgoingDown(down),
      onSent: (frames, bytes) => {
        this.#options.counters.peerFramesOut += frames;
        this.#options.counters.peerBytesOut += bytes;
      },
    });
    this.#outgoing.set(target.name, link);
    link.dialNow();
  }

  #reconsider(link: OutgoingLink, target: PeerTarget | undefined, ids: ReadonlySet<NodeId>): void {
    const former = link.peer ?? link.target.id;
    if (former !== null && link.target.id !== null && !ids.has(former)) this.#dropIncoming(former);
    if (target !== undefined && link.retarget(target)) return;
    this.#outgoing.delete(link.target.name);
    const { peer, isUp } = link;
    link.close();
    if (peer === null || !isUp) return;
    this.#outgoingById.delete(peer);
    this.#options.hooks.onLinkDown(peer, "outgoing");
  }

  #dropIncoming(peer: NodeId): void {
    const link = this.#incoming.get(peer);
    if (link === undefined) return;
    this.#incoming.delete(peer);
    link.destroy();
    this.#options.hooks.onLinkDown(peer, "incoming");
  }

  #onOutgoingUp(link: OutgoingLink): void {
    const { peer } = link;
    if (peer === null) return;
    this.#outgoingById.set(peer, link);
    this.#options.logger.info({ peer: link.target.name }, "link to peer up");
    this.#options.hooks.onLinkUp(peer, "outgoing");
  }

  #onOutgoingDown(link: OutgoingLink): void {
    const { peer } = link;
    if (peer === null || this.#outgoingById.get(peer) !== link) return;
    this.#outgoingById.delete(peer);
    this.#options.hooks.onLinkDown(peer, "outgoing");
  }

  #onKeepalive(): void {
    for (const link of this.#outgoing.values()) link.onKeepalive();
    for (const link of this.#incoming.values()) link.onKeepalive();
  }

  #accept(connection: Connection): void {
    if (this.#closed) {
      connection.destroy();
      return;
    }
    const { clock, limits } = this.#options;
    const link = new IncomingLink(connection, {
      clock,
      timing: this.#timing,
      limits,
      owner: {
        onHello: (from, hello) => this.#onHello(from, hello),
        onClient: (from) => this.#onClient(from),
        onEnvelopes: (from, envelopes, bytes) => this.#onEnvelopes(from, envelopes, bytes),
        onClosed: (from, reason) => this.#onIncomingClosed(from, reason),
      },
    });
    this.#greeting.add(link);
    if (this.#greeting.size <= limits.greetingMax) return;
    // The oldest goes: a peer introduces itself at once, so among many silent strangers it still gets through.
    const [oldest] = this.#greeting;
    if (oldest === undefined) return;
    this.#greeting.delete(oldest);
    oldest.destroy();
  }

  #onClient(link: IncomingLink): string {
    this.#greeting.delete(link);
    this.#options.logger.debug({ remote: link.remote }, "a client came to the port for peers");
    return this.#options.hooks.hello().clientAddress;
  }

  #onHello(link: IncomingLink, hello: PeerHello | OtherVersion): void {
    this.#greeting.delete(link);
    if (hello.kind === "otherVersion") {
      const message = `this node speaks peer protocol ${PEER_PROTOCOL_VERSION}, not ${hello.protocolVersion}`;
      this.#refuse(link, "?", refusal("UNSUPPORTED_VERSION", message));
      return;
    }
    if (hello.nodeId === this.#options.self.nodeId) {
      reached("node_met_its_own_identity");
      const message = "this is the node itself, or another with a copy of its data";
      this.#refuse(link, hello.name, refusal("IDENTITY_REFUSED", message));
      return;
    }
    const current = this.#incoming.get(hello.nodeId);
    const nonce = current?.hello?.linkNonce;
    if (nonce !== undefined && !isLaterLink(hello.linkNonce, nonce)) {
      reached("older_link_of_peer_came_later");
      link.destroy();
      return;
    }
    if (current === undefined && this.#incoming.size >= this.#options.limits.linksMax) {
      reached("too_many_peer_links");
      this.#options.logger.warn({ remote: link.remote }, "too many links from peers");
      link.destroy();
      return;
    }
    const answer = this.#options.hooks.onHello(hello, link.remote);
    if (answer.kind === "refused") this.#refuse(link, hello.name, answer);
    else this.#take(link, hello, answer);
  }

  #take(link: IncomingLink, hello: PeerHello, welcome: PeerWelcome): void {
    if (this.#closed) {
      link.destroy();
      return;
    }
    // Asked again: the hook may have changed who is linked.
    const replaced = this.#incoming.get(hello.nodeId);
    this.#incoming.set(hello.nodeId, link);
    replaced?.destroy();
    link.welcome(hello, welcome);
    this.#outgoing.get(hello.name)?.dialNow();
    this.#options.hooks.onLinkUp(hello.nodeId, "incoming");
  }

  #refuse(link: IncomingLink, name: string, answer: PeerWelcome): void {
    const reason = answer.kind === "refused" ? answer.message : "";
    const refusal = `${name}: ${reason}`;
    // It comes again every moment, for as long as nobody changes anything.
    const isToldAlready = refusal === this.#lastRefusal;
    this.#lastRefusal = refusal;
    if (!isToldAlready) {
      this.#options.logger.warn({ remote: link.remote, peer: name, reason }, "peer refused");
    }
    link.refuse(answer);
  }

  #onEnvelopes(link: IncomingLink, envelopes: readonly PeerEnvelope[], bytes: number): void {
    const from = link.peer;
    // Frames that a replaced link still had on the way are not heard: they may be older than what the new one said.
    if (from === null || this.#incoming.get(from) !== link) return;
    for (const envelope of envelopes) checkParties(envelope, from, this.#options.self.nodeId);
    this.#options.counters.peerFramesIn += 1;
    this.#options.counters.peerBytesIn += bytes;
    this.#options.hooks.onFrame(from, envelopes);
  }

  #onIncomingClosed(link: IncomingLink, reason: string): void {
    this.#greeting.delete(link);
    const { peer, remote } = link;
    if (peer === null) {
      this.#options.logger.debug({ remote, reason }, "a link ended before it was introduced");
      return;
    }
    if (this.#incoming.get(peer) !== link) return;
    this.#incoming.delete(peer);
    this.#options.logger.info({ remote, peer: link.hello?.name, reason }, "link from peer lost");
    this.#options.hooks.onLinkDown(peer, "incoming");
  }
}

/** A peer speaks for itself and to this node, or its link ends. Throws PEER_PROTOCOL. */
function checkParties(envelope: PeerEnvelope, from: NodeId, to: NodeId): void {
  let message = envelope.kind === "raft" ? envelope.message : null;
  if (envelope.kind === "snapshotChunk") message = envelope.header?.message ?? null;
  if (message === null) return;
  if (message.from !== from) throw violation("a message claims to be from another node");
  if (message.to !== to) throw violation("a message is meant for another node");
}

function refusal(code: "UNSUPPORTED_VERSION" | "IDENTITY_REFUSED", message: string): PeerWelcome {
  return { kind: "refused", protocolVersion: PEER_PROTOCOL_VERSION, code, message };
}
