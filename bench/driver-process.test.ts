import { expect, test } from "vitest";
import { DriverProcess } from "./driver-process.ts";

const DIRECTORY = "/bench";

test("nobody waits for ever for a driver that hangs", async () => {
  const args = ["-e", "process.stdin.resume()"];
  const driver = new DriverProcess({ command: process.execPath, args }, 100);
  const answer = driver.ask({ command: "children", directory: DIRECTORY });
  await expect(answer).rejects.toThrow("no answer to children in 0.1 s");
  await driver.kill();
});

test("who waits for a driver hears that it ended", async () => {
  const args = ["-e", "process.stdin.once('data', () => process.exit(4))"];
  const driver = new DriverProcess({ command: process.execPath, args });
  const answer = driver.ask({ command: "children", directory: DIRECTORY });
  await expect(answer).rejects.toThrow("exit code 4");
});
