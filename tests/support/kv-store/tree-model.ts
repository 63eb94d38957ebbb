import type { ApplyOutcome, AttachInfo, Command, TreeLimits } from "@quorate/kv-store";
import { checkPath, type ErrorCode, type WriteOp } from "@quorate/kv-store/protocol";

/** A znode as the naive twin keeps it. */
interface ModelNode {
  data: string;
  czxid: number;
  mzxid: number;
  pzxid: number;
  version: number;
  cversion: number;
  created: number;
  owner: number;
  isLock: boolean;
}

interface ModelSession {
  verifier: string;
  attach: AttachInfo;
  epoch: number;
  lastSeq: number;
  ackedSeq: number;
  lastAct: number;
  replies: Map<number, ModelOutcome>;
}

/** As {@link summary} has it: what each op came to, or why one failed and which. */
type ModelOutcome =
  | readonly [zxid: number, replies: readonly (readonly unknown[])[]]
  | readonly [zxid: number, code: ErrorCode, opIndex: number];

/** Nothing but two maps, copied before every write: slow, and plain enough to be right by inspection. */
export class TreeModel {
  nodes = new Map<string, ModelNode>();
  sessions = new Map<number, ModelSession>();
  #zxid = 0;
  #author = 0;
  readonly #bytesMax: number;

  constructor({ bytesMax }: Pick<TreeLimits, "bytesMax">) {
    this.#bytesMax = bytesMax;
    this.nodes.set("/", this.#node("", 0, 0));
  }

  /** What the tree must answer to the command, in the form of {@link summary}. */
  apply(zxid: number, term: number, command: Command): unknown {
    this.#zxid = zxid;
    const holdersBefore = this.#holders();
    const result = this.#result(term, command);
    return { result, grants: this.#grants(holdersBefore, result) };
  }

  #result(term: number, command: Command): unknown {
    switch (command.kind) {
      case "write":
        return this.#write(command);
      case "openSession": {
        const verifier = String(command.verifier);
        for (const [id, session] of this.sessions) {
          if (session.verifier === verifier) return this.#attach(id, session, command.attach);
        }
        const session = {
          verifier,
          attach: command.attach,
          epoch: 0,
          lastSeq: 0,
          ackedSeq: 0,
          lastAct: 0,
          replies: new Map<number, ModelOutcome>(),
        };
        this.sessions.set(this.#zxid, session);
        return this.#attach(this.#zxid, session, command.attach);
      }
      case "attach": {
        const session = this.sessions.get(command.session);
        if (session === undefined || session.verifier !== String(command.verifier)) {
          return ["attachRefused", "SESSION_EXPIRED"];
        }
        return this.#attach(command.session, session, command.attach);
      }
      case "closeSession":
        return this.#end([command.session], command.session);
      case "expireSessions": {
        const isOwn = term === command.term;
        const silent = [...new Set<number>(command.sessions)].filter(
          (id) => isOwn && (this.sessions.get(id)?.lastAct ?? Infinity) <= command.basis,
        );
        return this.#end(silent, 0);
      }
      default:
        throw new Error("of no known kind");
    }
  }

  #attach(id: number, session: ModelSession, attach: AttachInfo): unknown {
    session.epoch += 1;
    session.attach = attach;
    session.lastAct = this.#zxid;
    return ["attached", id, session.epoch === 1, session.epoch, session.lastSeq];
  }

  #end(ids: readonly number[], author: number): unknown {
    this.#author = author;
    const ended = ids.filter((id) => this.sessions.has(id));
    for (const id of ended) {
      for (const [path, node] of Array.from(this.nodes)) if (node.owner === id) this.#remove(path);
      this.sessions.delete(id);
    }
    return ["closed", ended];
  }

  #write(command: Extract<Command, { kind: "write" }>): unknown {
    const session = this.sessions.get(command.session);
    const seq = command.writeSeq;
    if (session === undefined) return ["writeRefused", "SESSION_EXPIRED"];
    if (command.epoch !== 0 && command.epoch < session.epoch) {
      return ["writeRefused", "SESSION_MOVED"];
    }
    if (seq <= session.lastSeq) {
      if (seq <= session.ackedSeq) return ["writeRefused", "BAD_ARGUMENTS"];
      session.lastAct = this.#zxid;
      return ["write", false, session.replies.get(seq)];
    }
    if (seq !== session.lastSeq + 1) return ["writeSkipped", "gap"];
    const acked = Math.max(session.ackedSeq, Math.min(command.ackedSeq, session.lastSeq));
    if (!this.#hasReplyRoom(session, acked, command.ops)) return ["writeSkipped", "windowFull"];
    session.lastSeq = seq;
    session.lastAct = this.#zxid;
    this.#author = command.session;
    const outcome = this.#ops(command.ops);
    session.ackedSeq = acked;
    session.replies.set(seq, outcome);
    return ["write", true, outcome];
  }

  /** Half of the common room is for anybody, an equal part of the rest for each session. */
  #hasReplyRoom(session: ModelSession, acked: number, ops: readonly WriteOp[]): boolean {
    const common = this.#bytesMax / 4;
    let others = 0;
    for (const each of this.sessions.values()) {
      if (each !== session) others += beyondOwn(windowBytes(each, each.ackedSeq));
    }
    const own = windowBytes(session, acked);
    if (others + beyondOwn(own) < common / 2) return true;
    const needed = beyondOwn(own + widestReplyBytes(ops));
    return needed === 0 || others + needed * this.sessions.size <= common;
  }

  /** Everything that counts, counted anew. */
  bytes(): number {
    let sum = 0;
    for (const [path, node] of this.nodes) sum += znodeBytes(path, dataBytes(node.data));
    for (const session of this.sessions.values()) {
      sum += sessionBytes(session.attach) + windowBytes(session, session.ackedSeq);
    }
    return sum;
  }

  #isFull(growth: number): boolean {
    return this.bytes() + growth > this.#bytesMax;
  }

  #ops(ops: readonly WriteOp[]): ModelOutcome {
    const before = new Map([...this.nodes].map(([path, node]) => [path, { ...node }]));
    const replies: (readonly unknown[])[] = [];
    const acquired = new Set<string>();
    for (const [i, op] of ops.entries()) {
      const reply = this.#op(op, acquired);
      if (typeof reply === "string") {
        this.nodes = before;
        return [this.#zxid, reply, i];
      }
      replies.push(reply);
    }
    return [this.#zxid, replies];
  }

  #op(op: WriteOp, acquired: Set<string>): ErrorCode | readonly unknown[] {
    const node = this.nodes.get(op.path);
    switch (op.kind) {
      case "create":
        return this.#create(op);
      case "set": {
        if (node === undefined) return checkPath(op.path) ?? "NO_NODE";
        if (op.version !== null && op.version !== node.version) return "BAD_VERSION";
        const growth = op.data.length - dataBytes(node.data);
        if (growth > 0 && this.#isFull(growth)) return "TREE_FULL";
        node.data = String(op.data);
        node.version += 1;
        node.mzxid = this.#zxid;
        return ["set", node.version];
      }
      case "delete":
        if (op.path === "/") return "BAD_ARGUMENTS";
        if (checkPath(op.path) === "RESERVED_PATH") return "RESERVED_PATH";
        if (node === undefined) return op.path.startsWith("/") ? "NO_NODE" : "BAD_PATH";
        if (op.version !== null && op.version !== node.version) return "BAD_VERSION";
        if (this.children(op.path).length > 0) return "NOT_EMPTY";
        this.#remove(op.path);
        return ["delete"];
      case "check":
        if (node === undefined) return checkPath(op.path) ?? "NO_NODE";
        if (op.version !== null && op.version !== node.version) return "BAD_VERSION";
        return ["check", node.version];
      case "guard":
        return this.#holder(op.path)?.[1].czxid === (op.token as number) ? ["guard"] : "FENCED";
      case "acquire":
        return this.#acquire(op, acquired);
      case "release": {
        if (node === undefined) return checkPath(op.path) ?? "NO_NODE";
        if (!node.isLock) return "NO_NODE";
        const own = this.children(op.path).find((path) => {
          const contender = this.nodes.get(path);
          return contender?.czxid === (op.token as number) && contender.owner === this.#author;
        });
        if (own === undefined) return "NO_NODE";
        this.#remove(own);
        return ["release"];
      }
      default:
        throw new Error("of no known kind");
    }
  }

  #create(op: Extract<WriteOp, { kind: "create" }>): ErrorCode | readonly unknown[] {
    if (!op.path.includes("/")) return "BAD_PATH";
    if (checkPath(op.path) === "RESERVED_PATH") return "RESERVED_PATH";
    const parent = this.nodes.get(parentPath(op.path));
    if (parent === undefined) return "NO_NODE";
    const isSequential = op.mode.endsWith("Sequential");
    const suffix = isSequential ? String(parent.created).padStart(10, "0") : "";
    const path = op.path + suffix;
    const invalid = checkPath(path);
    if (invalid !== null) return invalid;
    if (this.nodes.has(path)) return "NODE_EXISTS";
    if (parent.owner !== 0) return "NO_CHILDREN_FOR_EPHEMERALS";
    if (parent.isLock) return "LOCK_DIRECTORY";
    if (this.#isFull(znodeBytes(path, op.data.length))) return "TREE_FULL";
    this.#add(path, String(op.data), op.mode.startsWith("ephemeral") ? this.#author : 0);
    return ["create", path];
  }

  #acquire(
    op: Extract<WriteOp, { kind: "acquire" }>,
    acquired: Set<string>,
  ): ErrorCode | readonly unknown[] {
    if (op.path === "/") return "BAD_ARGUMENTS";
    const invalid = checkPath(op.path);
    if (invalid !== null) return invalid;
    if (acquired.has(op.path)) return "BAD_ARGUMENTS";
    const missing: string[] = [];
    let at = op.path;
    for (; !this.nodes.has(at); at = parentPath(at)) missing.unshift(at);
    const nearest = this.#at(at);
    if (nearest.owner !== 0) return "NO_CHILDREN_FOR_EPHEMERALS";
    if (missing.length > 0 && nearest.isLock) return "LOCK_DIRECTORY";
    const isHeld = missing.length === 0 && this.children(op.path).length > 0;
    if (isHeld && !nearest.isLock) return "LOCK_DIRECTORY";
    if (isHeld && !op.wait) return "LOCK_HELD";
    const contenderBytes = znodeBytes(`${op.path}/contender-0123456789`, op.data.length);
    const growth = missing.reduce((sum, path) => sum + znodeBytes(path, 0), contenderBytes);
    if (this.#isFull(growth)) return "TREE_FULL";
    for (const path of missing) this.#add(path, "", 0);
    const directory = this.#at(op.path);
    directory.isLock = true;
    const number = String(directory.created).padStart(10, "0");
    const contender = `${op.path}/contender-${number}`;
    this.#add(contender, String(op.data), this.#author);
    acquired.add(op.path);
    return ["acquire", contender, this.#zxid, !isHeld];
  }

  children(path: string): string[] {
    return [...this.nodes.keys()].filter((other) => other !== "/" && parentPath(other) === path);
  }

  /** The holder of each lock directory. */
  #holders(): Map<string, string> {
    const holders = new Map<string, string>();
    for (const path of this.nodes.keys()) {
      const holder = this.#holder(path);
      if (holder !== undefined) holders.set(path, holder[0]);
    }
    return holders;
  }

  #holder(path: string): [string, ModelNode] | undefined {
    if (this.nodes.get(path)?.isLock !== true) return undefined;
    const line = this.children(path).map((child): [string, ModelNode] => [child, this.#at(child)]);
    return line.sort((a, b) => a[1].czxid - b[1].czxid)[0];
  }

  /** A new holder is told by a grant, unless its own acquire's reply told it. */
  #grants(before: Map<string, string>, result: unknown): unknown {
    const told = JSON.stringify(result);
    const grants: unknown[] = [];
    for (const path of this.nodes.keys()) {
      const holder = this.#holder(path);
      if (holder === undefined || before.get(path) === holder[0]) continue;
      const [contender, node] = holder;
      if (node.czxid === this.#zxid) {
        if (told.includes(JSON.stringify(["acquire", contender, this.#zxid, true]))) continue;
      }
      grants.push([node.owner, path, contender, node.czxid]);
    }
    return grants.sort(byText);
  }

  #at(path: string): ModelNode {
    const node = this.nodes.get(path);
    if (node === undefined) throw new Error(`no ${path}`);
    return node;
  }

  #node(data: string, owner: number, zxid: number): ModelNode {
    const zxids = { czxid: zxid, mzxid: zxid, pzxid: zxid };
    return { data, ...zxids, version: 0, cversion: 0, created: 0, owner, isLock: false };
  }

  #add(path: string, data: string, owner: number): void {
    this.nodes.set(path, this.#node(data, owner, this.#zxid));
    const parent = this.#at(parentPath(path));
    parent.created += 1;
    parent.cversion += 1;
    parent.pzxid = this.#zxid;
  }

  #remove(path: string): void {
    this.nodes.delete(path);
    const parent = this.#at(parentPath(path));
    parent.cversion += 1;
    parent.pzxid = this.#zxid;
  }
}

const OWN_BYTES = 4_096;
const REPLY_BYTES = 200;

function beyondOwn(bytes: number): number {
  return bytes > OWN_BYTES ? bytes - OWN_BYTES : 0;
}

/** Bytes of the replies after `acked`. */
function windowBytes(session: ModelSession, acked: number): number {
  let sum = 0;
  for (const [seq, reply] of session.replies) if (seq > acked) sum += outcomeBytes(reply);
  return sum;
}

function outcomeBytes([, replies]: ModelOutcome): number {
  if (typeof replies === "string") return REPLY_BYTES;
  const named = replies.map(([, name]) => (typeof name === "string" ? 2 * name.length : 0));
  return named.reduce((sum, bytes) => sum + REPLY_BYTES + bytes, REPLY_BYTES);
}

/** No path of a model is so long that its bound matters. */
function widestReplyBytes(ops: readonly WriteOp[]): number {
  const named = ops.map((op) =>
    op.kind === "create" || op.kind === "acquire"
      ? 2 * `${op.path}/contender-0123456789`.length
      : 0,
  );
  return named.reduce((sum, bytes) => sum + REPLY_BYTES + bytes, REPLY_BYTES);
}

function sessionBytes({ address, principal, clientName }: AttachInfo): number {
  return 1500 + 2 * (address + principal + clientName).length;
}

function znodeBytes(path: string, bytes: number): number {
  return 600 + 2 * path.length + bytes;
}

/** The model keeps bytes as text. */
function dataBytes(data: string): number {
  return data === "" ? 0 : data.split(",").length;
}

function byText(left: unknown, right: unknown): number {
  return JSON.stringify(left) < JSON.stringify(right) ? -1 : 1;
}

function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** What a tree's outcome says, in the form in which {@link TreeModel.apply} says it. */
export function summary(outcome: ApplyOutcome): unknown {
  const grants = outcome.grants.map((grant) => [
    grant.session,
    grant.path,
    grant.contender,
    grant.token,
  ]);
  return { result: resultSummary(outcome.result), grants: grants.sort(byText) };
}

function resultSummary(result: ApplyOutcome["result"]): unknown {
  switch (result.kind) {
    case "write": {
      const { outcome } = result;
      const body = outcome.ok
        ? [outcome.zxid, outcome.replies.map(replySummary)]
        : [outcome.zxid, outcome.code, outcome.opIndex];
      return ["write", result.fresh, body];
    }
    case "writeSkipped":
      return ["writeSkipped", result.reason];
    case "writeRefused":
      return ["writeRefused", result.code];
    case "attached":
      return ["attached", result.session, result.opened, result.epoch, result.lastWriteSeq];
    case "attachRefused":
      return ["attachRefused", result.code];
    case "closed":
      return ["closed", result.sessions];
    default:
      throw new Error("of no known kind");
  }
}

function replySummary(
  reply: Extract<
    Extract<ApplyOutcome["result"], { kind: "write" }>["outcome"],
    { ok: true }
  >["replies"][number],
): unknown {
  switch (reply.kind) {
    case "create":
      return ["create", reply.path];
    case "set":
      return ["set", reply.stat.version];
    case "check":
      return ["check", reply.stat.version];
    case "acquire":
      return ["acquire", reply.contender, reply.token, reply.held];
    case "delete":
    case "guard":
    case "release":
      return [reply.kind];
    default:
      throw new Error("of no known kind");
  }
}
