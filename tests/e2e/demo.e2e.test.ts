import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { poll } from "./poll.ts";

const DEMO_MAIN = fileURLToPath(new URL("../../packages/cli/dist/demo/main.js", import.meta.url));

test("the demo holds", async () => {
  const { code, output } = await new Demo().ended;
  expect(output).toContain("All of it held.");
  expect(code).toBe(0);
});

test.each([["--without-lock"], ["--without-guard"]])(
  "%s loses increments and says so",
  async (flag) => {
    const { code, output } = await new Demo(flag).ended;
    expect(output).toMatch(/\d+ (?:was|were) lost/);
    expect(code).toBe(1);
  },
);

test("a demo that is interrupted leaves neither processes nor data behind", async () => {
  const demo = new Demo();
  await poll("its servers to run", WAIT_MS, () => (demo.processes().length >= 3 ? true : null));
  demo.child.kill("SIGTERM");
  expect((await demo.ended).code).toBe(128 + constants.signals.SIGTERM);
  expect(readdirSync(demo.directory)).toEqual([]);
  await poll("its servers to be gone", WAIT_MS, () =>
    demo.processes().length === 0 ? true : null,
  );
});

const WAIT_MS = 40_000;

type Ended = { readonly code: number | null; readonly output: string };

/** The demo as a process, with a folder of its own for temporary files. */
class Demo {
  readonly directory: string;
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #output = "";

  constructor(...flags: readonly string[]) {
    this.directory = mkdtempSync(join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-"));
    this.child = spawn(process.execPath, [DEMO_MAIN, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: this.directory },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (text: string) => (this.#output += text));
    }
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code) => resolve({ code, output: this.#output }));
    });
    onTestFinished(() => {
      this.child.kill("SIGTERM");
      rmSync(this.directory, { recursive: true, force: true, maxRetries: 10 });
    });
  }

  /** Command lines of the processes that were told to keep their data here. */
  processes(): readonly string[] {
    const { stdout } = spawnSync("ps", ["-A", "-o", "args"], { encoding: "utf8" });
    return stdout.split("\n").filter((args) => args.includes(this.directory));
  }
}
