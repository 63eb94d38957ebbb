import { PROTOCOL_LIMITS } from "@quorate/kv-store/protocol";
import type { ConnectOptions, QuorateClient } from "./api.ts";
import { checkCallOptions } from "./cancellations.ts";
import { textBytes } from "./checked-op.ts";
import { QuorateError } from "./errors.ts";
import type { ClientPorts } from "./ports.ts";
import { SessionClient } from "./quorate-client.ts";
import { ServerList, parseServer } from "./server-list.ts";
import { Session } from "./session.ts";
import { shown } from "./shown.ts";
import { systemPorts } from "./system-ports.ts";

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Long enough for an ensemble that is just electing a leader, or starting. */
const CONNECT_TIMEOUT_MS = 15_000;

/**
 * Opens a session with the ensemble. Codes: BAD_ARGUMENTS, CONNECTION_FAILED (no server took the session within
 * `connectTimeoutMs`; the text says of each what was in the way, and `cause` is what one that takes no sessions for now said
 * when it was tried last, DISK_FULL before all else), UNSUPPORTED_VERSION (every server speaks another one), WRONG_PORT (they
 * are at ports where servers speak with one another; the text says where one of them serves clients), ABORTED. `ports` replaces
 * network, time and randomness, for tests and simulation.
 */
export async function connect(
  options: ConnectOptions,
  ports: ClientPorts = systemPorts(),
): Promise<QuorateClient> {
  const error = checkOptions(options);
  if (error !== null) throw error;
  const { signal, name = "", connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  const session = new Session(
    {
      servers: new ServerList(options.servers, ports.random),
      timeoutMs: sessionTimeout(options),
      clientName: name,
      connectTimeoutMs,
    },
    ports,
  );
  await session.open(signal);
  return new SessionClient(session);
}

/** Within the protocol's bounds, as the service would cut it: dialling is paced by it, so what comes of it must be known. */
function sessionTimeout(options: ConnectOptions): number {
  const { sessionTimeoutDefaultMs, sessionTimeoutMinMs, sessionTimeoutMaxMs } = PROTOCOL_LIMITS;
  const timeoutMs = Math.round(options.sessionTimeoutMs ?? sessionTimeoutDefaultMs);
  return Math.min(Math.max(timeoutMs, sessionTimeoutMinMs), sessionTimeoutMaxMs);
}

function checkOptions(options: ConnectOptions): QuorateError | null {
  // What has no types may give nothing, or the servers themselves.
  if (typeof options !== "object" || (options as ConnectOptions | null) === null) {
    return bad('connect takes an object like { servers: ["127.0.0.1:7001"] }');
  }
  const { signal } = options;
  return checkSettings(options) ?? checkCallOptions({ signal });
}

function checkSettings(options: ConnectOptions): QuorateError | null {
  const { servers, sessionTimeoutMs = 1, connectTimeoutMs = 1, name = "" } = options;
  if (!Array.isArray(servers) || servers.length === 0) {
    return bad('servers must be a list of addresses like ["127.0.0.1:7001"]');
  }
  for (const server of servers) {
    if (typeof server !== "string" || parseServer(server) === null) {
      return bad(
        `"${shown(server)}" is no address like host:port, ws://host:port or wss://host:port`,
      );
    }
  }
  if (!Number.isFinite(sessionTimeoutMs) || sessionTimeoutMs <= 0) {
    return bad(`sessionTimeoutMs must not be ${shown(sessionTimeoutMs)}`);
  }
  if (!(typeof connectTimeoutMs === "number" && connectTimeoutMs > 0)) {
    return bad(`connectTimeoutMs must not be ${shown(connectTimeoutMs)}`);
  }
  if (typeof name !== "string" || LONE_SURROGATE.test(name)) return bad("the name is no text");
  if (textBytes(name) > PROTOCOL_LIMITS.clientNameBytesMax) {
    return bad(`the name is longer than ${PROTOCOL_LIMITS.clientNameBytesMax} bytes`);
  }
  return null;
}

function bad(text: string): QuorateError {
  return new QuorateError("BAD_ARGUMENTS", text);
}
