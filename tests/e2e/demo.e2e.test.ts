import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const DEMO_MAIN = fileURLToPath(new URL("../../packages/cli/dist/demo/main.js", import.meta.url));
const DEMO_MS = 60_000;

test("the demo holds", async () => {
  const { code, output, tookMs } = await runDemo();
  expect(output).toContain("All of it held.");
  expect(code).toBe(0);
  expect(tookMs).toBeLessThan(DEMO_MS);
});

test.each([["--without-lock"], ["--without-guard"]])(
  "%s loses increments and says so",
  async (flag) => {
    const { code, output } = await runDemo(flag);
    expect(output).toContain("were lost");
    expect(code).toBe(1);
  },
);

async function runDemo(
  ...flags: readonly string[]
): Promise<{ readonly code: number | null; readonly output: string; readonly tookMs: number }> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [DEMO_MAIN, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGTERM"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => (output += text));
  }
  return new Promise((resolve) => {
    child.once("close", (code) => resolve({ code, output, tookMs: performance.now() - startedMs }));
  });
}
