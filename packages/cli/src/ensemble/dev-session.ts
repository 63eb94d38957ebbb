import { styleText } from "node:util";
import type { CliContext } from "../context.ts";
import { EXIT_CODES, type ExitCode } from "../exit-code.ts";
import { changeLines, rowsOf, viewText, type Snapshot } from "./dev-view.ts";
import type { LocalEnsemble } from "./local-ensemble.ts";

const REFRESH_MS = 500;

/**
 * Runs an ensemble until it is interrupted or all of its nodes have ended, and shows what goes on. The first signal
 * stops the nodes, the second kills them.
 */
export class DevSession {
  readonly #context: CliContext;
  readonly #ensemble: LocalEnsemble;
  readonly #banner: string;
  #before: Snapshot | null = null;
  #shown = "";
  readonly #answered = new Set<string>();
  #signals = 0;
  #wake: () => void = () => undefined;

  constructor(context: CliContext, ensemble: LocalEnsemble, banner: string) {
    this.#context = context;
    this.#ensemble = ensemble;
    this.#banner = banner;
  }

  async run(): Promise<ExitCode> {
    const signals = this.#context.onSignal(() => this.#onSignal());
    try {
      this.#context.out.write(this.#banner);
      this.#ensemble.startAll();
      this.#context.out.write(`${this.#started()}\n`);
      while (this.#signals === 0 && this.#ensemble.nodes.some((node) => node.isRunning)) {
        await this.#refresh();
        await this.#pause();
      }
      const wasInterrupted = this.#signals > 0;
      if (!wasInterrupted) await this.#refresh();
      await this.#ensemble.stop();
      return wasInterrupted ? EXIT_CODES.ok : this.#reportDeath();
    } finally {
      // Whatever went wrong above, no node outlives this command.
      this.#ensemble.killAll();
      signals[Symbol.dispose]();
    }
  }

  #started(): string {
    const { plan } = this.#ensemble;
    return plan.nodes
      .map(({ name, logFile }) => {
        const processId = this.#ensemble.node(name).pid ?? "-";
        return `node ${name}      process ${processId}, log ${logFile}\n`;
      })
      .join("");
  }

  #onSignal(): void {
    this.#signals += 1;
    if (this.#signals === 1) this.#context.err.write("\nstopping; once more to kill the nodes\n");
    else this.#ensemble.killAll();
    this.#wake();
  }

  async #refresh(): Promise<void> {
    const readings = await this.#ensemble.read();
    for (const { name, status } of readings) if (status !== null) this.#answered.add(name);
    const now: Snapshot = { atMs: performance.now(), readings, answered: new Set(this.#answered) };
    if (this.#signals > 0) return;
    if (this.#context.out.isTerminal) this.#draw(viewText(now, this.#before));
    else this.#log(changeLines(now, this.#before));
    this.#before = now;
  }

  #draw(view: string): void {
    const hasEnded = this.#ensemble.nodes.some((node) => node.exit !== null);
    const foot = hasEnded ? "Ctrl-C stops it; the next start starts all nodes" : "Ctrl-C stops it";
    const text = `${view}${styleText("dim", foot)}\n`;
    const rows = rowsOf(this.#shown, this.#context.out.columns);
    const up = rows === 0 ? "" : `\u001b[${rows}A\u001b[0J`;
    this.#context.out.write(`${up}${text}`);
    this.#shown = text;
  }

  #log(lines: readonly string[]): void {
    for (const line of lines) this.#context.out.write(`${new Date().toISOString()} ${line}\n`);
  }

  async #pause(): Promise<void> {
    if (this.#signals > 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, REFRESH_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #reportDeath(): ExitCode {
    for (const { name, logFile } of this.#ensemble.plan.nodes) {
      const end = endOf(this.#ensemble.node(name).logTail());
      this.#context.err.write(`--- the end of ${logFile}\n${end}`);
    }
    this.#context.err.write("error: all nodes have ended; their logs say why\n");
    return EXIT_CODES.failed;
  }
}

const END_LINES = 3;
const END_LINE_CHARS = 240;

/** The last lines of a log, without the stacks at the ends of them. */
function endOf(log: string): string {
  const lines = log.trimEnd().split("\n").slice(-END_LINES);
  return lines
    .map((line) => (line.length > END_LINE_CHARS ? `${line.slice(0, END_LINE_CHARS)}…` : line))
    .map((line) => `${line}\n`)
    .join("");
}
