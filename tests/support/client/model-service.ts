import {
  fencingToken,
  sessionId,
  zxid,
  writeSeq,
  type ClientMessage,
  type Hello,
  type Query,
  type QueryReply,
  type ServerMessage,
  type WriteOp,
  type WriteOutcome,
  type WriteReply,
  type WriteSeq,
} from "@quorate/kv-store/protocol";
import type { FakeConnection, FakeNetwork } from "./fake-network.ts";
import { STAT } from "./fixtures.ts";

type Write = Extract<ClientMessage, { readonly kind: "write" | "skip" }>;
type Read = Extract<ClientMessage, { readonly kind: "read" }>;

/** One change that took effect. */
export interface Effect {
  readonly zxid: number;
  readonly session: number;
  readonly path: string;
}

interface ModelSession {
  readonly id: number;
  readonly secret: string;
  lastWriteSeq: number;
  readonly replies: Map<number, WriteOutcome>;
  link: Link | null;
}

interface Contender {
  readonly session: number;
  readonly path: string;
  readonly token: number;
}

/** The server's view of one connection. */
class Link {
  readonly connection: FakeConnection;
  session: ModelSession | null = null;
  /** On the way to the server, and to the client. */
  readonly inbound: ClientMessage[] = [];
  readonly outbound: ServerMessage[] = [];
  readonly reads: { readonly read: Read; afterSeq: number }[] = [];
  readonly watches = new Map<number, string>();
  nextSeq = 0;
  refusedFrom = 0;

  constructor(connection: FakeConnection) {
    this.connection = connection;
  }

  get isOpen(): boolean {
    return this.connection.isOpen;
  }
}

interface Proposal {
  readonly link: Link;
  readonly session: ModelSession;
  readonly write: Write;
}

/**
 * A whole ensemble in one object, small enough to be seen to be right: numbered writes take effect once and in order,
 * watches tell every change, a lock belongs to the first in line. Messages and proposals move one at a time, when the
 * test says so.
 */
export class ModelService {
  readonly effects: Effect[] = [];
  readonly links: Link[] = [];
  /** Accepted, not yet in the log; they survive the connection they came on. */
  #proposals: Proposal[] = [];
  readonly #sessions = new Map<number, ModelSession>();
  #line: Contender[] = [];
  #zxid = 100;
  /** Writes that arrive are refused as long as it is set. */
  isOverloaded = false;
  /** What is refused has reached the log all the same, by way of a leader that is none any more. */
  isLeaking = false;

  constructor(nets: readonly FakeNetwork[]) {
    for (const net of nets) {
      net.onConnection = (connection) => {
        const link = new Link(connection);
        this.links.push(link);
        connection.onMessage = (message) => void link.inbound.push(message);
      };
    }
  }

  get holder(): Contender | null {
    return this.#line[0] ?? null;
  }

  get openLinks(): Link[] {
    return this.links.filter((link) => link.isOpen);
  }

  /** One message reaches the server. */
  receive(link: Link): boolean {
    const message = link.isOpen ? link.inbound.shift() : undefined;
    if (message === undefined) return false;
    this.#onMessage(link, message);
    return true;
  }

  /** One message reaches the client. */
  deliver(link: Link): boolean {
    const message = link.isOpen ? link.outbound.shift() : undefined;
    if (message === undefined) return false;
    link.connection.send(message);
    return true;
  }

  /** One proposal gets into the log and is applied. */
  apply(): boolean {
    const proposal = this.#proposals.shift();
    if (proposal === undefined) return false;
    this.#apply(proposal.session, proposal.write);
    return true;
  }

  /** One of the link's accepted writes, and what came after it, is not taken into the log: back to its client. */
  refuseWaiting(link: Link, pick: number): void {
    const doneSeq = link.session?.lastWriteSeq ?? 0;
    const waiting = this.#proposals.filter(
      ({ link: from, write: { writeSeq: seq } }) =>
        from === link && seq > doneSeq && seq < link.nextSeq,
    );
    const first = waiting[pick % Math.max(1, waiting.length)];
    if (first === undefined) return;
    const fromSeq = first.write.writeSeq;
    if (!this.isLeaking) {
      this.#proposals = this.#proposals.filter(
        ({ link: from, write }) => from !== link || write.writeSeq < fromSeq,
      );
    }
    this.#refuse(link, fromSeq);
  }

  /** Everything that is under way arrives. */
  drain(): boolean {
    let moved = false;
    for (let busy = true; busy; moved ||= busy) {
      busy = this.apply();
      for (const link of this.openLinks) {
        while (this.receive(link)) busy = true;
        while (this.deliver(link)) busy = true;
      }
    }
    return moved;
  }

  #onMessage(link: Link, message: ClientMessage): void {
    switch (message.kind) {
      case "hello":
        this.#attach(link, message);
        return;
      case "write":
      case "skip":
        this.#onWrite(link, message);
        return;
      case "read":
        link.reads.push({ read: message, afterSeq: link.nextSeq - 1 });
        this.#answerReads(link);
        return;
      case "addWatch":
        link.watches.set(message.watchId, message.path);
        link.outbound.push({ ...message, kind: "watchAdded", zxid: zxid(this.#zxid) });
        if (message.sinceZxid !== null) this.#replay(link, message.watchId, message.sinceZxid);
        return;
      case "removeWatch":
        link.watches.delete(message.watchId);
        return;
      case "ping":
        link.outbound.push({ kind: "pong", pingId: message.pingId, zxid: zxid(this.#zxid) });
        return;
      case "closeSession":
        link.outbound.push({ kind: "sessionClosed", cxid: message.cxid, zxid: zxid(this.#zxid) });
        return;
    }
  }

  #attach(link: Link, hello: Hello): void {
    const secret = hello.secret.join(",");
    let session = [...this.#sessions.values()].find((known) => known.secret === secret);
    if (session === undefined) {
      this.#zxid += 1;
      const id = this.#zxid;
      session = { id, secret, lastWriteSeq: 0, replies: new Map(), link: null };
      this.#sessions.set(id, session);
    }
    if (hello.lastZxid > this.#zxid) throw new Error("the client has seen the future");
    session.link?.connection.cut();
    session.link = link;
    link.session = session;
    link.nextSeq = 0;
    link.outbound.push({
      kind: "welcome",
      protocolVersion: 1,
      session: sessionId(session.id),
      timeoutMs: hello.timeoutMs,
      zxid: zxid(this.#zxid),
      lastWriteSeq: session.lastWriteSeq === 0 ? 0 : writeSeq(session.lastWriteSeq),
      clusterId: "cluster",
      historyId: "history",
      node: "n",
      servers: [],
    });
  }

  #onWrite(link: Link, write: Write): void {
    const { session } = link;
    if (session === null) throw new Error("a write before the welcome");
    const seq = write.writeSeq;
    if (link.refusedFrom !== 0) {
      if (seq !== link.refusedFrom) return;
      link.refusedFrom = 0;
    } else if (link.nextSeq === 0 ? seq > session.lastWriteSeq + 1 : seq !== link.nextSeq) {
      throw new Error(`write ${seq} where ${link.nextSeq} was due`);
    }
    if (write.ackedSeq > session.lastWriteSeq) throw new Error("acknowledged the future");
    link.nextSeq = seq + 1;
    if (this.isOverloaded) {
      if (this.isLeaking) this.#proposals.push({ link, session, write });
      this.#refuse(link, seq);
      return;
    }
    this.#proposals.push({ link, session, write });
  }

  #refuse(link: Link, fromSeq: WriteSeq): void {
    link.refusedFrom = fromSeq;
    link.nextSeq = fromSeq;
    for (const read of link.reads) read.afterSeq = Math.min(read.afterSeq, fromSeq - 1);
    link.outbound.push({ kind: "refused", fromSeq, code: "OVERLOADED", retryAfterMs: 10 });
    this.#answerReads(link);
  }

  #apply(session: ModelSession, write: Write): void {
    const seq = write.writeSeq;
    for (const known of session.replies.keys()) {
      if (known <= write.ackedSeq) session.replies.delete(known);
    }
    let outcome = session.replies.get(seq);
    if (outcome === undefined) {
      // A gap, or a repeat whose reply has been acknowledged: nobody waits for either.
      if (seq !== session.lastWriteSeq + 1) return;
      session.lastWriteSeq = seq;
      this.#zxid += 1;
      outcome = this.#outcome(session, write.kind === "write" ? write.ops : []);
      session.replies.set(seq, outcome);
    }
    const { link } = session;
    if (link === null || !link.isOpen || link.nextSeq <= seq) return;
    link.outbound.push({ kind: "writeReply", writeSeq: seq, outcome });
    this.#answerReads(link);
  }

  #outcome(session: ModelSession, ops: readonly WriteOp[]): WriteOutcome {
    const at = zxid(this.#zxid);
    const replies: WriteReply[] = [];
    for (const [opIndex, op] of ops.entries()) {
      const reply = this.#runOp(session, op);
      if (reply === null) return { ok: false, zxid: at, code: "NO_NODE", opIndex };
      replies.push(reply);
    }
    return { ok: true, zxid: at, replies };
  }

  #runOp(session: ModelSession, op: WriteOp): WriteReply | null {
    if (op.kind === "create") {
      this.#change(session, op.path);
      return { kind: "create", path: op.path, stat: STAT };
    }
    if (op.kind === "acquire") {
      const token = this.#zxid;
      this.#line.push({ session: session.id, path: op.path, token });
      const contender = contenderPath(op.path, token);
      return {
        kind: "acquire",
        contender,
        token: fencingToken(token),
        held: this.#line.length === 1,
      };
    }
    if (op.kind === "release") return this.#release(session, op.token);
    throw new Error(`the model knows no ${op.kind}`);
  }

  #release(session: ModelSession, token: number): WriteReply | null {
    const at = this.#line.findIndex((one) => one.token === token && one.session === session.id);
    if (at === -1) return null;
    this.#line.splice(at, 1);
    const next = this.#line[0];
    if (at > 0 || next === undefined) return { kind: "release" };
    this.#sessions.get(next.session)?.link?.outbound.push({
      kind: "granted",
      zxid: zxid(this.#zxid),
      path: next.path,
      contender: contenderPath(next.path, next.token),
      token: fencingToken(next.token),
    });
    return { kind: "release" };
  }

  #change(session: ModelSession, path: string): void {
    const effect = { zxid: this.#zxid, session: session.id, path };
    this.effects.push(effect);
    for (const link of this.openLinks) {
      for (const watchId of link.watches.keys()) this.#tell(link, watchId, effect);
    }
  }

  #replay(link: Link, watchId: number, since: number): void {
    for (const effect of this.effects) {
      if (effect.zxid > since) this.#tell(link, watchId, effect);
    }
  }

  #tell(link: Link, watchId: number, effect: Effect): void {
    if (!effect.path.startsWith(link.watches.get(watchId) ?? "no watch")) return;
    const event = { zxid: zxid(effect.zxid), kind: "created", path: effect.path } as const;
    const events = [{ watchIds: [watchId], event }];
    link.outbound.push({ kind: "events", zxid: event.zxid, events });
  }

  #answerReads(link: Link): void {
    const done = link.session?.lastWriteSeq ?? 0;
    while (link.reads[0] !== undefined && link.reads[0].afterSeq <= done) {
      const { cxid, query } = link.reads.shift()!.read;
      const reply = { ok: true, value: this.#answer(query) } as const;
      link.outbound.push({ kind: "readReply", cxid, zxid: zxid(this.#zxid), reply });
    }
  }

  #answer(query: Query): QueryReply {
    if (query.kind === "contender") {
      const at = this.#line.findIndex((one) => one.token === query.token);
      return { kind: "contender", state: at === -1 ? "gone" : at === 0 ? "held" : "waiting" };
    }
    // How much has happened: enough to tell what a read has seen.
    return { kind: "exists", stat: { ...STAT, version: this.effects.length } };
  }
}

function contenderPath(path: string, token: number): string {
  return `${path}/c-${String(token).padStart(10, "0")}`;
}
