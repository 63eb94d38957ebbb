import {
  fetchNodeStatus,
  planEnsemble,
  serverFlags,
  type NodePlan,
  type NodeStatus,
} from "@quorate/cli";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { ownPorts } from "../support/own-ports.ts";
import { SERVER_MAIN } from "./ensemble.ts";
import { poll } from "./poll.ts";

const START_MS = 60_000;

/** Why no node can be given a limit here; null if one can. */
export function cannotLimit(): string | null {
  const { error } = spawnSync("prlimit", ["--version"]);
  return error === undefined ? null : String(error);
}

/** An ensemble of one process that may have only so many files open. Stopped, and its data removed, when the test ends. */
export class LimitedNode {
  readonly #plan: NodePlan;
  readonly #filesMax: number;
  readonly #child: ChildProcess;
  output = "";
  exit: number | NodeJS.Signals | null = null;

  private constructor(directory: string, plan: NodePlan, filesMax: number, flags: Flags) {
    this.#plan = plan;
    this.#filesMax = filesMax;
    const command = [SERVER_MAIN, ...serverFlags({ nodes: [plan] }, plan, flags)];
    const limited = `ulimit -n ${filesMax}; exec "$@"`;
    this.#child = spawn("bash", ["-c", limited, "bash", process.execPath, ...command], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (text: string) => (this.output += text));
    }
    const closed = new Promise<void>((resolve) => {
      this.#child.once("close", (code, signal) => {
        this.exit = code ?? signal;
        resolve();
      });
    });
    onTestFinished(async ({ task }) => {
      if (task.result?.state === "fail") console.error(this.output);
      this.#child.kill("SIGKILL");
      await closed;
      rmSync(directory, { recursive: true, force: true });
    });
  }

  static async start(filesMax: number, flags: Flags = []): Promise<LimitedNode> {
    const directory = mkdtempSync(
      join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-e2e-"),
    );
    const [plan] = planEnsemble(directory, await ownPorts(1)).nodes;
    if (plan === undefined) throw new Error("a plan has a node");
    return new LimitedNode(directory, plan, filesMax, flags);
  }

  get server(): string {
    return this.#plan.clientListen;
  }

  get logSegments(): number {
    return readdirSync(join(this.#plan.dataDirectory, "log")).length;
  }

  /** From now on it may have only so many; null: as many as at its start. */
  limit(filesMax: number | null): void {
    const pid = this.#child.pid ?? 0;
    const soft = `--nofile=${filesMax ?? this.#filesMax}:`;
    const { status, stderr } = spawnSync("prlimit", ["--pid", `${pid}`, soft], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`prlimit: ${stderr}`);
  }

  async ready(): Promise<void> {
    await this.saysOf("that it is ready", ({ notReady }) => notReady.length === 0);
  }

  async saysOf(what: string, isSaid: (status: NodeStatus) => boolean): Promise<void> {
    await poll(`the node to say ${what}`, START_MS, async () => {
      if (this.exit !== null) throw new Error(`the node ended: ${this.exit}\n${this.output}`);
      const status = await fetchNodeStatus(this.server);
      return status !== null && isSaid(status) ? true : null;
    });
  }

  async ended(): Promise<number | NodeJS.Signals> {
    return poll("the node to end", START_MS, () => this.exit);
  }
}

type Flags = readonly string[];
