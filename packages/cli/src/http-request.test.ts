import { createServer, type Server } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { httpRequest, textOf } from "./http-request.ts";

/** Ports that `fetch` refuses to call. */
const FORBIDDEN_TO_BROWSERS = [6665, 6666, 6667, 6668, 6669, 6697, 10_080, 6000, 5060, 5061];

test("reaches a port that browsers must not call", async () => {
  const { server, port } = await listenOnOneOf(FORBIDDEN_TO_BROWSERS);
  server.on("request", (request, response) => {
    request.setEncoding("utf8").on("data", (text: string) => response.write(`got ${text}`));
    request.on("end", () => response.end());
  });
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  const signal = AbortSignal.timeout(10_000);
  const url = `http://127.0.0.1:${port}/`;
  const answer = await httpRequest(url, { method: "POST", json: '"ünï"', signal });
  expect(await textOf(answer)).toBe('got "ünï"');
});

test("is given up with the signal's reason, before and within the body", async () => {
  const { server, port } = await listenOnOneOf([0]);
  const url = `http://127.0.0.1:${port}`;
  const early = new AbortController();
  const late = new AbortController();
  server.on("request", (request, response) => {
    if (request.url === "/silent") early.abort(new Error("too long"));
    else response.write("begun");
  });
  const silent = httpRequest(`${url}/silent`, { method: "GET", signal: early.signal });
  await expect(silent).rejects.toThrow("too long");
  const answer = await httpRequest(`${url}/begun`, { method: "GET", signal: late.signal });
  expect(answer.status).toBe(200);
  late.abort(new Error("given up"));
  await expect(textOf(answer)).rejects.toThrow("given up");
});

test("says what the system says when nobody listens", async () => {
  const { server, port } = await listenOnOneOf([0]);
  await new Promise((resolve) => server.close(resolve));
  const signal = AbortSignal.timeout(10_000);
  const asked = httpRequest(`http://127.0.0.1:${port}`, { method: "GET", signal });
  await expect(asked).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

async function listenOnOneOf(
  ports: readonly number[],
): Promise<{ readonly server: Server; readonly port: number }> {
  for (const wanted of ports) {
    const server = createServer();
    const isListening = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(wanted, "127.0.0.1", () => resolve(true));
    });
    if (!isListening) continue;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    return { server, port: typeof address === "object" && address !== null ? address.port : 0 };
  }
  throw new Error("all of these ports are taken");
}
