import { styleText } from "node:util";
import type { CliContext } from "../context.ts";
import { EXIT_CODES, type ExitCode } from "../exit-code.ts";
import { changeLines, viewText, type Snapshot } from "./dev-view.ts";
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
  #shownLines = 0;
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
    const now: Snapshot = { atMs: performance.now(), readings };
    if (this.#signals > 0) return;
    if (this.#context.out.isTerminal) this.#draw(viewText(now, this.#before));
    else this.#log(changeLines(now, this.#before));
    this.#before = now;
  }

  #draw(view: string): void {
    const text = `${view}${styleText("dim", "Ctrl-C stops it")}\n`;
    const up = this.#shownLines === 0 ? "" : `\u001b[${this.#shownLines}A\u001b[0J`;
    this.#context.out.write(`${up}${text}`);
    this.#shownLines = text.split("\n").length - 1;
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
    for (const node of this.#ensemble.nodes) {
      this.#context.err.write(`--- the end of node ${node.name}'s log\n${node.logTail()}`);
    }
    this.#context.err.write("error: all nodes have ended\n");
    return EXIT_CODES.failed;
  }
}
