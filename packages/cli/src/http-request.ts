import { request as requestPlain, type IncomingMessage } from "node:http";
import { request as requestEncrypted } from "node:https";

/** The beginning of an answer, and its body as it comes. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Asks a server on a connection of its own. Unlike `fetch` it reaches every port: that one leaves out those which
 * browsers must not call (6000, 6666, 10080 and some more), and a node may well listen there. `signal` gives the
 * request up, its body included; then it rejects with the signal's reason, else with the error of the system.
 */
export function httpRequest(
  url: string,
  options: {
    readonly method: "GET" | "POST";
    /** A body in JSON; none by default. */
    readonly json?: string;
    readonly signal: AbortSignal;
  },
): Promise<HttpAnswer> {
  const { method, json, signal } = options;
  const start = url.startsWith("https:") ? requestEncrypted : requestPlain;
  const content = json === undefined ? "" : json;
  const headers = {
    "content-length": Buffer.byteLength(content),
    ...(json === undefined ? {} : { "content-type": "application/json" }),
  };
  return new Promise((resolve, reject) => {
    const request = start(url, { method, headers, signal, agent: false }, (response) => {
      resolve({ status: response.statusCode ?? 0, body: bodyOf(response, signal) });
    });
    request.on("error", (error) => reject(signal.aborted ? signal.reason : firstOf(error)));
    request.end(content);
  });
}

/** All of it as text. */
export async function textOf({ body }: HttpAnswer): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

async function* bodyOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of response) yield part;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw isCutShort(error) ? new Error("the connection broke", { cause: error }) : error;
  }
}

/** Node says no more of it than "aborted". */
function isCutShort(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ECONNRESET";
}

/** A name with several addresses fails with an error for each, and an empty text above them. */
function firstOf(error: Error): unknown {
  return error instanceof AggregateError ? (error.errors[0] ?? error) : error;
}
