import {
  describeEntry,
  describeMembership,
  describeMessage,
  logIndex,
  nodeId,
  RaftNode,
  term,
  type Entry,
  type Membership,
  type Message,
  type NodeId,
  type PersistWork,
  type RaftConfig,
  type Ready,
  type StepResult,
} from "@quorate/raft";
import { SimDisk } from "../simulation/raft-core/disk.ts";
import { membershipOf } from "../support/members.ts";

const electionTicks = 5;
/** Rounds after which a script that does not come to rest is taken for one that never will. */
const roundsMax = 200;

const defaults: Omit<RaftConfig, "id" | "seed"> = {
  heartbeatTicks: 1,
  electionTicks,
  appendEntriesMax: 16,
  appendBytesMax: 4_096,
  inflightEntriesMax: 64,
  inflightBytesMax: 16_384,
  memoryLogBytesMax: 65_536,
  uncommittedBytesMax: 16_384,
  entryBytesMax: 1_024,
  persistBytesMax: 65_536,
  applyBytesMax: 65_536,
  lease: null,
};

interface Host {
  readonly id: NodeId;
  readonly disk: SimDisk;
  core: RaftNode | null;
  writing: PersistWork | null;
  /** Writes are not completed by `stabilize`. */
  isDiskHeld: boolean;
  fetches: Ready["fetches"][number][];
  membership: Membership;
}

function entries(list: readonly Entry[]): string {
  return list.map(describeEntry).join(", ");
}

/** `key=value` words of a command. */
function options(words: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    words
      .filter((word) => word.includes("="))
      .map((word): [string, string] => {
        const [key = "", value = ""] = word.split("=");
        return [key, value];
      }),
  );
}

function idsIn(text: string | undefined): NodeId[] {
  return (text ?? "")
    .split(",")
    .filter((word) => word !== "")
    .map((word) => nodeId(Number(word)));
}

/** `PROMISE/DURATION`, both in ms. */
function leaseOf(value: string): RaftConfig["lease"] {
  const [promiseMs = 0, durationMs = 0] = value.split("/").map(Number);
  return { promiseMs, durationMs };
}

/** An ensemble of cores, links and disks that moves only when a script says so, and tells everything that it does. */
export class InteractionEnv {
  readonly #hosts = new Map<NodeId, Host>();
  /** Messages under way, per one-way link, in order. */
  #links = new Map<string, Message[]>();
  readonly #cut = new Set<string>();
  readonly #delaying = new Set<string>();
  /** Messages that come late, in the order in which they were sent: no crash reaches them where they are. */
  readonly #late: Message[] = [];
  readonly #lines: string[] = [];
  #config = defaults;

  /** Carries out one command line and returns what came of it; `quiet` before it keeps that to itself. */
  run(line: string): readonly string[] {
    const [first = "", ...rest] = line.split(" ");
    const isQuiet = first === "quiet";
    const [name = "", ...words] = isQuiet ? rest : [first, ...rest];
    this.#lines.length = 0;
    const command = this.#commands[name];
    if (command === undefined) throw new Error(`unknown command ${name}`);
    command(words);
    for (const host of this.#hosts.values()) host.core?.checkInvariants();
    return isQuiet ? [] : [...this.#lines];
  }

  readonly #commands: Readonly<Record<string, (words: readonly string[]) => void>> = {
    "add-nodes": (words) => this.#addNodes(words),
    campaign: ([id]) => this.#campaign(this.#host(id)),
    win: ([id, voter]) => this.#win(this.#host(id), this.#host(voter)),
    clock: ([ms, ...ids]) => this.#tellClock(Number(ms), ids),
    tick: ([id, count]) => this.#tick(this.#host(id), Number(count ?? 1)),
    propose: ([id, ...texts]) => this.#propose(this.#host(id), texts),
    membership: ([id, ...words]) => this.#changeMembership(this.#host(id), words),
    transfer: ([id, to]) =>
      this.#answer(this.#core(id).step({ kind: "transferLeadership", to: nodeId(Number(to)) })),
    read: ([id, counter]) => {
      const context = { nonce: Number(id), counter: Number(counter) };
      this.#core(id).step({ kind: "readIndex", context });
    },
    unreachable: ([id, peer]) => {
      this.#core(id).step({ kind: "peerUnreachable", peer: nodeId(Number(peer)) });
    },
    ready: ([id]) => this.#takeReady(this.#host(id)),
    persist: ([id]) => this.#endWrite(this.#host(id)),
    "hold-disk": ([id]) => void (this.#host(id).isDiskHeld = true),
    "free-disk": ([id]) => void (this.#host(id).isDiskHeld = false),
    deliver: (words) => this.#deliver(words),
    drop: ([link]) => this.#drop(link ?? ""),
    duplicate: ([link]) => this.#duplicate(link ?? ""),
    cut: (links) => links.forEach((link) => this.#cut.add(link)),
    delay: (links) => links.forEach((link) => this.#delaying.add(link)),
    heal: () => this.#heal(),
    "deliver-delayed": () => this.#deliverDelayed(),
    stabilize: (words) => this.#stabilize(words.map((word) => this.#host(word))),
    fetch: ([id]) => this.#fetch(this.#host(id)),
    compact: ([id, index, keep]) => this.#compact(this.#host(id), Number(index), Number(keep ?? 0)),
    "snapshot-sent": ([id, to, outcome]) => {
      const ok = outcome === "ok";
      this.#core(id).step({ kind: "snapshotSent", to: nodeId(Number(to)), ok });
    },
    crash: ([id]) => this.#crash(this.#host(id)),
    restart: ([id]) => this.#start(this.#host(id)),
    status: ([id]) => this.#status(this.#core(id)),
    log: ([id]) => this.#log(this.#host(id)),
  };

  #say(line: string): void {
    this.#lines.push(line);
  }

  #answer(result: StepResult): void {
    if (result.ok) this.#say(result.index === null ? "ok" : `ok, index ${result.index}`);
    else this.#say(`refused: ${result.reason}, leader ${result.leader ?? "unknown"}`);
  }

  #host(word: string | undefined): Host {
    const host = this.#hosts.get(nodeId(Number(word)));
    if (host === undefined) throw new Error(`no node ${word}`);
    return host;
  }

  #core(word: string | undefined): RaftNode {
    const { core } = this.#host(word);
    if (core === null) throw new Error(`node ${word} is down`);
    return core;
  }

  #addNodes(words: readonly string[]): void {
    const given = options(words);
    for (const [key, value] of given) {
      if (key === "lease") this.#config = { ...this.#config, lease: leaseOf(value) };
      else if (key in this.#config) this.#config = { ...this.#config, [key]: Number(value) };
    }
    const ids = Array.from({ length: Number(words[0]) }, (_, at) =>
      nodeId(this.#hosts.size + at + 1),
    );
    const voters = given.has("voters") ? idsIn(given.get("voters")) : ids;
    const membership = membershipOf(voters, idsIn(given.get("learners")));
    for (const id of ids) {
      const formation = { index: logIndex(0), term: term(0), membership };
      const disk = new SimDisk(formation, { term: term(0), votedFor: null });
      const host: Host = {
        id,
        disk,
        core: null,
        writing: null,
        isDiskHeld: false,
        fetches: [],
        membership,
      };
      this.#hosts.set(id, host);
      this.#start(host);
    }
  }

  #start(host: Host): void {
    const { initial, image } = host.disk.load();
    host.membership = image.meta.membership;
    host.core = new RaftNode({ ...this.#config, id: host.id, seed: 1 }, initial);
    this.#say(`${host.id} starts: ${host.disk.describe(host.id)}`);
  }

  #crash(host: Host): void {
    host.core = null;
    host.writing = null;
    host.fetches = [];
    for (const [link, messages] of this.#links) {
      if (link.startsWith(`${host.id}->`) || link.endsWith(`->${host.id}`)) messages.length = 0;
    }
    this.#say(`${host.id} loses power: ${host.disk.describe(host.id)}`);
  }

  #campaign(host: Host): void {
    const core = this.#core(String(host.id));
    const before = core.status().role;
    for (let tick = 0; tick < 2 * electionTicks + 1; tick += 1) {
      core.step({ kind: "tick" });
      if (core.status().role !== before) break;
    }
    this.#takeReady(host);
  }

  /** Has `host` elected by `voter` alone; nothing but their votes is delivered, and the new leader's work is still to do. */
  #win(host: Host, voter: Host): void {
    for (const each of [host, voter]) {
      const leader = each.core?.status().leader ?? null;
      if (leader !== null) each.core?.step({ kind: "peerUnreachable", peer: leader });
    }
    this.#campaign(host);
    for (let round = 0; round < roundsMax; round += 1) {
      this.#handVotes(host, voter);
      this.#handVotes(voter, host);
      for (const each of [voter, host]) if (each.writing !== null) this.#endWrite(each);
      if (host.core?.status().role === "leader") return;
      if (host.core?.status().role === "follower") this.#campaign(host);
    }
    throw new Error(`${host.id} does not win`);
  }

  #handVotes(from: Host, to: Host): void {
    const messages = this.#links.get(`${from.id}->${to.id}`)?.splice(0) ?? [];
    for (const message of messages) {
      if (message.kind === "requestVote" || message.kind === "requestVoteReply")
        this.#hand(message);
    }
    if (to.core?.status().role !== "leader") this.#takeReady(to);
  }

  /** The clocks of these nodes, or of all that are up. */
  #tellClock(nowMs: number, words: readonly string[]): void {
    const hosts = words.length === 0 ? this.#hosts.values() : words.map((word) => this.#host(word));
    for (const host of hosts) host.core?.step({ kind: "clock", nowMs });
  }

  #tick(host: Host, count: number): void {
    for (let tick = 0; tick < count; tick += 1) {
      this.#core(String(host.id)).step({ kind: "tick" });
      this.#takeReady(host);
    }
  }

  #propose(host: Host, texts: readonly string[]): void {
    const commands = texts.map((text) => new TextEncoder().encode(text));
    this.#answer(this.#core(String(host.id)).step({ kind: "propose", commands }));
  }

  #changeMembership(host: Host, words: readonly string[]): void {
    const given = options(words);
    const membership = membershipOf(idsIn(given.get("voters")), idsIn(given.get("learners")));
    this.#answer(this.#core(String(host.id)).step({ kind: "proposeMembership", membership }));
  }

  /** Takes everything the core has to do and does what needs no time: the rest waits for the script. */
  #takeReady(host: Host): boolean {
    let hasWork = false;
    for (;;) {
      const ready = host.core?.takeReady() ?? null;
      if (ready === null) return hasWork;
      hasWork = true;
      this.#tell(host, ready);
      if (ready.persist !== null) host.writing = ready.persist;
      host.fetches.push(...ready.fetches);
      for (const message of ready.messages) this.#send(message);
      this.#applyAll(host, ready);
    }
  }

  #tell(host: Host, ready: Ready): void {
    const { id } = host;
    const { softState, persist, installSnapshot } = ready;
    if (softState !== null) {
      const { role, leader, term } = softState;
      this.#say(`${id} is ${role} in term ${term}, leader ${leader ?? "unknown"}`);
    }
    if (persist !== null) {
      const { term, votedFor } = persist.hardState;
      const base = persist.snapshot === null ? "" : ` behind ${persist.snapshot.index}`;
      const list = persist.entries.length === 0 ? "" : ` [${entries(persist.entries)}]`;
      this.#say(`${id} writes term ${term} vote ${votedFor ?? "none"}${base}${list}`);
    }
    if (installSnapshot !== null) {
      const { index, membership } = installSnapshot;
      this.#say(`${id} installs snapshot ${index}, ${describeMembership(membership)}`);
    }
    if (ready.committed.length > 0) this.#say(`${id} applies [${entries(ready.committed)}]`);
    for (const { context, index } of ready.reads) {
      this.#say(`${id} read ${context.counter}: ${index === null ? "refused" : `at ${index}`}`);
    }
    for (const { peer, from, to } of ready.fetches) {
      this.#say(`${id} fetches ${from}..${to} for ${peer}`);
    }
  }

  #applyAll(host: Host, ready: Ready): void {
    const installed = ready.installSnapshot;
    if (installed !== null) {
      host.membership = installed.membership;
      host.core?.step({ kind: "applied", index: installed.index });
    }
    for (const entry of ready.committed) {
      if (entry.kind === "config") host.membership = entry.membership;
      host.core?.step({ kind: "applied", index: entry.index });
    }
  }

  #send(message: Message): void {
    const link = `${message.from}->${message.to}`;
    const isUp = (this.#hosts.get(message.to)?.core ?? null) !== null;
    if (this.#cut.has(link) || !isUp) {
      this.#say(`lost ${describeMessage(message)}`);
      return;
    }
    if (this.#delaying.has(link)) {
      this.#say(`delayed ${describeMessage(message)}`);
      this.#late.push(message);
      return;
    }
    const messages = this.#links.get(link) ?? [];
    messages.push(message);
    this.#links.set(link, messages);
  }

  #endWrite(host: Host): void {
    const { writing } = host;
    if (writing === null) {
      this.#say(`${host.id} writes nothing`);
      return;
    }
    host.disk.write(writing);
    host.writing = null;
    this.#say(`${host.id} has written`);
    host.core?.step({ kind: "persisted", ticket: writing.ticket });
    this.#takeReady(host);
  }

  /** `deliver 1->2` the oldest message of a link, `deliver 1->2 all` every one. */
  #deliver([link = "", count]: readonly string[]): void {
    const messages = this.#links.get(link) ?? [];
    if (messages.length === 0) this.#say(`nothing under way on ${link}`);
    const taken = messages.splice(0, count === "all" ? messages.length : 1);
    for (const message of taken) this.#hand(message);
    const to = taken[0]?.to;
    if (to !== undefined) this.#takeReady(this.#host(String(to)));
  }

  #hand(message: Message): void {
    const host = this.#host(String(message.to));
    this.#say(describeMessage(message));
    if (message.kind === "installSnapshot") {
      const image = this.#host(String(message.from)).disk.imageAt(message.snapshot.index);
      if (image === null) throw new Error(`no image at ${message.snapshot.index}`);
      host.disk.addImage(image);
    }
    host.core?.step({ kind: "message", message });
  }

  /** Loses everything under way on a link. */
  #drop(link: string): void {
    for (const message of this.#links.get(link)?.splice(0) ?? []) {
      this.#say(`lost ${describeMessage(message)}`);
    }
  }

  /** All links carry again what is sent from now on. What was delayed is as late as before: newer messages overtake it. */
  #heal(): void {
    this.#cut.clear();
    this.#delaying.clear();
  }

  /** Hands over everything that `delay 1->2` held back, in the order in which it was sent, and delays nothing any more. */
  #deliverDelayed(): void {
    this.#delaying.clear();
    if (this.#late.length === 0) this.#say("nothing was delayed");
    for (const message of this.#late.splice(0)) {
      const to = this.#host(String(message.to));
      if (to.core === null) {
        this.#say(`lost ${describeMessage(message)}`);
        continue;
      }
      this.#hand(message);
      this.#takeReady(to);
    }
  }

  #duplicate(link: string): void {
    const messages = this.#links.get(link) ?? [];
    messages.push(...messages);
  }

  /** Runs the given nodes (all by default) until nothing is left to do among them. */
  #stabilize(chosen: readonly Host[]): void {
    const hosts = chosen.length > 0 ? chosen : [...this.#hosts.values()];
    const ids = new Set(hosts.map((host) => host.id));
    for (let round = 0; round < roundsMax; round += 1) {
      let isQuiet = true;
      for (const host of hosts) {
        if (this.#takeReady(host)) isQuiet = false;
        if (host.writing !== null && !host.isDiskHeld && host.core !== null) {
          this.#endWrite(host);
          isQuiet = false;
        }
      }
      for (const messages of this.#links.values()) {
        const first = messages[0];
        if (first === undefined || !ids.has(first.to) || !ids.has(first.from)) continue;
        isQuiet = false;
        for (const message of messages.splice(0)) this.#hand(message);
      }
      if (isQuiet) return;
    }
    throw new Error("does not come to rest");
  }

  #fetch(host: Host): void {
    for (const { peer, from, to } of host.fetches.splice(0)) {
      const { prevTerm, entries: found } = host.disk.read(from, to);
      this.#say(`disk ${host.id}: ${found === null ? "gone" : `[${entries(found)}]`}`);
      host.core?.step({ kind: "fetched", peer, from, prevTerm, entries: found });
    }
    this.#takeReady(host);
  }

  /** Makes an image at `index`; the disk keeps `keep` entries behind it. */
  #compact(host: Host, index: number, keep: number): void {
    const at = logIndex(index);
    const entryTerm = host.disk.termAt(index);
    if (entryTerm === null) throw new Error(`no entry ${index} on disk`);
    const meta = { index: at, term: entryTerm, membership: host.membership };
    host.disk.addImage({ meta, digest: 0 });
    host.disk.forgetThrough(index - keep);
    this.#core(String(host.id)).step({ kind: "compact", snapshot: meta });
    this.#say(host.disk.describe(host.id));
  }

  #status(core: RaftNode): void {
    const status = core.status();
    this.#say(
      `${status.id} is ${status.role} in term ${status.term}, leader ${status.leader ?? "unknown"}, ` +
        `vote ${status.votedFor ?? "none"}, commit ${status.commitIndex}, last ${status.lastIndex}, ` +
        `persisted ${status.persistedIndex}, ${describeMembership(status.membership)}`,
    );
    for (const peer of status.peers) {
      const { id, state, matchIndex, nextIndex, inflightEntries, isFetching } = peer;
      const fetching = isFetching ? ", fetching" : "";
      this.#say(
        `  ${id} ${state} match ${matchIndex} next ${nextIndex} inflight ${inflightEntries}${fetching}`,
      );
    }
  }

  #log(host: Host): void {
    const core = this.#core(String(host.id));
    const { firstIndex, lastIndex } = core.status();
    this.#say(`log ${host.id}: [${entries(core.entriesFrom(firstIndex, lastIndex))}]`);
  }
}
