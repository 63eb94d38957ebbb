import { createInterface } from "node:readline";
import type { Order } from "../protocol.ts";
import { Driver } from "./driver.ts";
import type { Connect } from "./session-port.ts";

/** Runs a driver on this process's standard input and output; ends the process with the input. */
export async function serveDriver(connect: Connect): Promise<void> {
  const driver = new Driver(connect);
  const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, ...order } = JSON.parse(line) as Order & { readonly id: number };
    try {
      const result = await driver.obey(order, (event) => print({ id, event }));
      print({ id, result });
    } catch (error) {
      print({ id, error: String(error) });
    }
  }
  process.exit(0);
}
