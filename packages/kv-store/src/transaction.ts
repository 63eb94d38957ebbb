import type { Change, Grant } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import { reached } from "./points.ts";
import {
  fencingToken,
  PROTOCOL_LIMITS,
  type SessionId,
  type Stat,
  type Zxid,
  zxid,
} from "./protocol/index.ts";
import { SortedNames } from "./sorted-names.ts";
import type { TreeState } from "./tree-state.ts";
import {
  type ContenderFormat,
  hashData,
  hashPath,
  makeZnode,
  sumZnode,
  znodeBytes,
  type Znode,
  type ZnodeImage,
  znodeImage,
} from "./znode.ts";

/** When and where an entry stands. */
export interface EntryHead {
  readonly zxid: Zxid;
  readonly term: number;
  /** The leader's wall clock, ms since 1970. */
  readonly timeMs: number;
}

/** What a committed transaction did. */
export interface Committed {
  readonly changes: readonly Change[];
  readonly grants: readonly Grant[];
}

type Undo =
  | { readonly kind: "restore"; readonly node: Znode; readonly image: ZnodeImage }
  | { readonly kind: "create"; readonly node: Znode }
  | { readonly kind: "remove"; readonly node: Znode };

/** A contender that this transaction lined up, by its directory. */
interface Acquired {
  readonly contender: Znode;
  readonly held: boolean;
}

const NO_CHANGES: readonly Change[] = [];
const NO_GRANTS: readonly Grant[] = [];

/**
 * The changes of one entry to znodes: visible at once to its later ops, and either committed into digest, dirty list
 * and grants, or rolled back without a trace. One object serves all entries in turn.
 */
export class Transaction {
  readonly #state: TreeState;
  #head: EntryHead = { zxid: zxid(0), term: 0, timeMs: 0 };
  #author: SessionId | 0 = 0;
  /** Null: nothing of this transaction can fail after its first change. */
  #undo: Undo[] | null = null;
  /** The first `#touchedCount` items; to cut the list for every write would cost more than the rest of its book-keeping. */
  readonly #touched: Znode[] = [];
  #touchedCount = 0;
  #changes: Change[] | null = null;
  #bytesBefore = 0;
  #isOpen = false;
  #parentsMade = 0;
  readonly #acquired = new Map<string, Acquired>();
  /** Lock directories that lost a contender, with their holder before that. */
  readonly #handOvers = new Map<Znode, string | undefined>();

  constructor(state: TreeState) {
    this.#state = state;
  }

  get state(): TreeState {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get zxid(): Zxid {
    return this.#head.zxid;
  }

  get author(): SessionId | 0 {
    return this.#author;
  }

  /**
   * `author`: the session that causes it, 0 for the ensemble. `canFail`: a later op may call for a roll-back of what
   * earlier ones did.
   */
  begin(head: EntryHead, author: SessionId | 0, canFail: boolean): void {
    assert(!this.#isOpen, "one_transaction_at_a_time");
    this.#isOpen = true;
    this.#head = head;
    this.#author = author;
    this.#undo = canFail ? [] : null;
    this.#changes = null;
    this.#bytesBefore = this.#state.bytes;
    this.#parentsMade = 0;
  }

  /** Whether that many more bytes fit into the tree. */
  hasRoom(bytes: number): boolean {
    return this.#state.bytes + bytes <= this.#state.limits.bytesMax;
  }

  /** Whether one more op may make that many parents: what no op asks for by itself is bounded as the ops of a write are. */
  mayMakeParents(count: number): boolean {
    return this.#parentsMade + count <= PROTOCOL_LIMITS.opsMax;
  }

  noteParentsMade(count: number): void {
    assert(this.mayMakeParents(count), "parents_of_one_write_bounded");
    this.#parentsMade += count;
  }

  /** A new znode at `path`, below `parent`; `data` is copied. The caller has checked everything. */
  create(parent: Znode, path: string, data: Uint8Array, owner: SessionId | 0): Znode {
    const state = this.#state;
    const { zxid, timeMs } = this.#head;
    assert(parent.stat.ephemeralOwner === 0, "ephemerals_have_no_children");
    const stat: Stat = {
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctimeMs: timeMs,
      mtimeMs: timeMs,
      version: 0,
      cversion: 0,
      aversion: 0,
      ephemeralOwner: owner,
      dataBytes: data.length,
      childCount: 0,
    };
    const image = {
      data: state.createdBytes.copy(data),
      stat,
      created: 0,
      contenderFormat: null,
    };
    const node = makeZnode(path, parent, image);
    hashPath(state.hasher, node);
    hashData(state.hasher, node);
    node.isFresh = true;
    this.#noteTouched(node);
    this.#prepare(parent);
    parent.stat = withChildren(parent.stat, zxid, 1);
    parent.created += 1;
    this.#link(node, parent);
    state.bytes += znodeBytes(path, data.length);
    this.#undo?.push({ kind: "create", node });
    this.#record({
      zxid,
      kind: "created",
      path,
      data: node.data,
      stat,
      before: null,
      author: this.#author,
    });
    return node;
  }

  /** Removes a znode without children. */
  remove(node: Znode): void {
    const state = this.#state;
    const { zxid } = this.#head;
    const parent = node.parent;
    assert(parent !== null, "root_stays");
    assert(node.stat.childCount === 0, "removed_childless");
    if (parent.contenderFormat !== null && !this.#handOvers.has(parent)) {
      reached("contender_left_its_lock");
      this.#handOvers.set(parent, parent.children?.first);
    }
    this.#prepare(node);
    this.#prepare(parent);
    node.isRemoved = true;
    this.#unlink(node, parent);
    parent.stat = withChildren(parent.stat, zxid, -1);
    state.bytes -= znodeBytes(node.path, node.data.length);
    this.#undo?.push({ kind: "remove", node });
    const { data, stat } = node;
    const before = { data, stat };
    const { path } = node;
    this.#record({ zxid, kind: "deleted", path, data, stat, before, author: this.#author });
  }

  /** Replaces a znode's data; `data` is copied. */
  setData(node: Znode, data: Uint8Array): void {
    const state = this.#state;
    const { zxid, timeMs } = this.#head;
    assert(!node.isRemoved, "set_on_live_znode");
    this.#prepare(node);
    const before = { data: node.data, stat: node.stat };
    const old = before.stat;
    const stat: Stat = {
      czxid: old.czxid,
      mzxid: zxid,
      pzxid: old.pzxid,
      ctimeMs: old.ctimeMs,
      mtimeMs: timeMs,
      version: old.version + 1,
      cversion: old.cversion,
      aversion: old.aversion,
      ephemeralOwner: old.ephemeralOwner,
      dataBytes: data.length,
      childCount: old.childCount,
    };
    node.stat = stat;
    node.data = state.changedBytes.copy(data);
    hashData(state.hasher, node);
    state.bytes += data.length - old.dataBytes;
    const path = node.path;
    this.#record({
      zxid,
      kind: "dataChanged",
      path,
      data: node.data,
      stat,
      before,
      author: this.#author,
    });
  }

  /** Makes `directory` a lock directory of that format. */
  setContenderFormat(directory: Znode, format: ContenderFormat): void {
    if (directory.contenderFormat === format) return;
    assert(directory.stat.childCount === 0, "lock_directories_start_empty");
    this.#prepare(directory);
    directory.contenderFormat = format;
  }

  hasAcquired(path: string): boolean {
    return this.#acquired.has(path);
  }

  /** Remembers what the reply says of a new contender, so that a grant neither repeats nor contradicts it. */
  noteAcquired(contender: Znode, held: boolean): void {
    const directory = contender.parent;
    assert(directory !== null, "contenders_have_a_directory");
    this.#acquired.set(directory.path, { contender, held });
  }

  commit(): Committed {
    assert(this.#isOpen, "committed_open_transaction");
    const { digest, hasher, dirtyNodes } = this.#state;
    for (let i = 0; i < this.#touchedCount; i += 1) {
      const node = this.#touched[i];
      assert(node !== undefined, "touched_without_holes");
      const wasFresh = node.isFresh;
      node.isTouched = false;
      node.isFresh = false;
      if (!wasFresh) digest.subtract(node.sumA, node.sumB);
      if (node.isRemoved) {
        if (wasFresh) reached("created_and_deleted_in_one_write");
        else dirtyNodes.remove(node);
        continue;
      }
      sumZnode(hasher, node);
      digest.add(node.sumA, node.sumB);
      if (wasFresh) dirtyNodes.add(node);
    }
    const grants = this.#handOvers.size === 0 ? NO_GRANTS : this.#grants();
    const committed = { changes: this.#changes ?? NO_CHANGES, grants };
    this.#end();
    return committed;
  }

  rollBack(): void {
    assert(this.#isOpen, "rolled_back_open_transaction");
    const undo = this.#undo ?? [];
    assert(this.#undo !== null || this.#touchedCount === 0, "unfailing_transactions_commit");
    for (let i = undo.length - 1; i >= 0; i -= 1) {
      const step = undo[i];
      if (step !== undefined) this.#revert(step);
    }
    for (let i = 0; i < this.#touchedCount; i += 1) {
      const node = this.#touched[i];
      assert(node !== undefined, "touched_without_holes");
      node.isTouched = false;
      node.isFresh = false;
    }
    this.#state.bytes = this.#bytesBefore;
    this.#end();
  }

  #revert(step: Undo): void {
    const node = step.node;
    switch (step.kind) {
      case "restore": {
        const hadOtherData = node.data !== step.image.data;
        if (hadOtherData) reached("set_undone");
        node.data = step.image.data;
        node.stat = step.image.stat;
        node.created = step.image.created;
        node.contenderFormat = step.image.contenderFormat;
        if (hadOtherData) hashData(this.#state.hasher, node);
        return;
      }
      case "create":
        reached("create_undone");
        assert(node.parent !== null, "created_below_parent");
        node.isRemoved = true;
        this.#unlink(node, node.parent);
        return;
      case "remove":
        reached("delete_undone");
        assert(node.parent !== null, "removed_below_parent");
        node.isRemoved = false;
        this.#link(node, node.parent);
    }
  }

  /** Before any change of a node: its state is saved for a roll-back and for a checkpoint under way. */
  #prepare(node: Znode): void {
    this.#undo?.push({ kind: "restore", node, image: znodeImage(node) });
    if (node.isTouched) return;
    this.#noteTouched(node);
    this.#state.dirtyNodes.touch(node);
  }

  #noteTouched(node: Znode): void {
    assert(!node.isTouched, "touched_once");
    node.isTouched = true;
    this.#touched[this.#touchedCount] = node;
    this.#touchedCount += 1;
  }

  #record(change: Change): void {
    // A list that begins as a literal takes a fraction of the memory of one that is pushed to; most have one item.
    if (this.#changes === null) this.#changes = [change];
    else this.#changes.push(change);
  }

  #link(node: Znode, parent: Znode): void {
    this.#state.nodes.set(node.path, node);
    parent.children ??= new SortedNames();
    parent.children.add(node.path);
    const owner = node.stat.ephemeralOwner;
    if (owner !== 0) this.#state.sessions.get(owner)?.ephemerals.add(node.path);
  }

  #unlink(node: Znode, parent: Znode): void {
    this.#state.nodes.delete(node.path);
    const wasThere = parent.children?.delete(node.path) ?? false;
    assert(wasThere, "children_complete");
    if (parent.children?.size === 0) parent.children = null;
    const owner = node.stat.ephemeralOwner;
    if (owner !== 0) this.#state.sessions.get(owner)?.ephemerals.delete(node.path);
  }

  /** One for each lock directory whose holder went and whose next contender had been told to wait. */
  #grants(): readonly Grant[] {
    const grants: Grant[] = [];
    for (const [directory, before] of this.#handOvers) {
      const first = directory.isRemoved ? undefined : directory.children?.first;
      if (first === undefined) {
        reached("lock_left_to_nobody");
        continue;
      }
      if (first === before) {
        reached("waiting_contender_left");
        continue;
      }
      const holder = this.#state.nodes.get(first);
      assert(holder !== undefined, "holder_exists");
      const acquired = this.#acquired.get(directory.path);
      if (acquired?.contender === holder && acquired.held) {
        reached("lock_released_and_acquired_in_one_write");
        continue;
      }
      reached("lock_passed_on");
      const session = holder.stat.ephemeralOwner;
      assert(session !== 0, "contenders_are_ephemeral");
      const token = fencingToken(holder.stat.czxid);
      grants.push({ session, path: directory.path, contender: holder.path, token });
    }
    return grants;
  }

  #end(): void {
    this.#isOpen = false;
    this.#undo = null;
    // What a large write touched must not be held by it.
    if (this.#touchedCount > 64) {
      reached("large_write_let_go");
      this.#touched.length = 0;
    }
    this.#touchedCount = 0;
    if (this.#acquired.size > 0) this.#acquired.clear();
    if (this.#handOvers.size > 0) this.#handOvers.clear();
  }
}

/** `stat` after a direct child came (1) or went (-1). */
function withChildren(stat: Stat, zxid: Zxid, step: 1 | -1): Stat {
  return {
    czxid: stat.czxid,
    mzxid: stat.mzxid,
    pzxid: zxid,
    ctimeMs: stat.ctimeMs,
    mtimeMs: stat.mtimeMs,
    version: stat.version,
    cversion: stat.cversion + 1,
    aversion: stat.aversion,
    ephemeralOwner: stat.ephemeralOwner,
    dataBytes: stat.dataBytes,
    childCount: stat.childCount + step,
  };
}
