import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { startChild } from "./child-processes.ts";
import { cpuSeconds } from "./process-usage.ts";
import type { DriverEvent, Order, Results } from "./protocol.ts";
import type { Command } from "./systems/system.ts";

/** Longer than anything takes: a million znodes on a slow disk. Nobody waits for ever for a driver that hangs. */
const ANSWER_MS_MAX = 1_800_000;

type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly id: number; readonly event: DriverEvent };

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onEvent: ((event: DriverEvent) => void) | undefined;
  readonly timer: NodeJS.Timeout;
}

/** A driver: a process of its own that makes the load. */
export class DriverProcess {
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, Waiting> = new Map();
  readonly #ended: Promise<void>;
  readonly #answerMsMax: number;
  #lastId = 0;
  #end: Error | null = null;

  constructor(command: Command, answerMsMax: number = ANSWER_MS_MAX) {
    this.#answerMsMax = answerMsMax;
    this.#child = startChild(command, ["pipe", "pipe", "inherit"]);
    const { stdin, stdout } = this.#child;
    if (stdin === null || stdout === null) throw new Error("a driver without standard streams");
    // A driver that died is reported by its end.
    stdin.on("error", () => undefined);
    createInterface({ input: stdout }).on("line", (line) => this.#hear(line));
    this.#ended = new Promise((resolve) => {
      const ended = (reason: string): void => {
        this.#fail(new Error(`the driver ${command.command} ended: ${reason}`));
        resolve();
      };
      this.#child.once("exit", (code, signal) => ended(`exit code ${code}, signal ${signal}`));
      this.#child.once("error", (error) => ended(error.message));
    });
  }

  /** CPU seconds it has used so far. */
  cpuSeconds(): number {
    return cpuSeconds(this.#child.pid ?? 0);
  }

  /** Gives an order and waits for its result; throws what the driver answers as error. */
  ask<K extends Order["command"]>(
    order: Extract<Order, { readonly command: K }>,
    onEvent?: (event: DriverEvent) => void,
  ): Promise<Results[K]> {
    return new Promise((resolve, reject) => {
      if (this.#end !== null) {
        reject(this.#end);
        return;
      }
      const id = ++this.#lastId;
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`no answer to ${order.command} in ${this.#answerMsMax / 1000} s`));
      }, this.#answerMsMax);
      this.#waiting.set(id, {
        resolve: (result) => resolve(result as Results[K]),
        reject,
        onEvent,
        timer,
      });
      this.#child.stdin?.write(`${JSON.stringify({ id, ...order })}\n`);
    });
  }

  /** At once: its sessions end as they would with a dead client. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #hear(line: string): void {
    const answer = JSON.parse(line) as Answer;
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    if ("event" in answer) {
      waiting.onEvent?.(answer.event);
      return;
    }
    this.#waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    if ("error" in answer) waiting.reject(new Error(answer.error));
    else waiting.resolve(answer.result);
  }

  #fail(error: Error): void {
    this.#end = error;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
  }
}
