import { isIPv4, isIPv6 } from "node:net";
import { ServerError } from "../errors.ts";

/** Where to listen or to dial. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Separates the addresses of one member that has several networks. */
export const ADDRESS_SEPARATOR = "|";
/** Addresses one member may have. */
export const ADDRESSES_MAX = 8;

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;
const PORT = /^\d{1,5}$/;

/**
 * Reads `host:port`, `[ipv6]:port`. Throws CONFIG_INVALID, naming `what`, for anything else.
 */
export function parseHostPort(text: string, what: string): HostPort {
  const colon = text.lastIndexOf(":");
  if (colon <= 0) throw invalidAddress(text, what);
  const portText = text.slice(colon + 1);
  const port = Number(portText);
  if (!PORT.test(portText) || port < 1 || port > 65_535) {
    throw new ServerError(
      "CONFIG_INVALID",
      `${what}: ${JSON.stringify(text)} has no valid port; use a number from 1 to 65535`,
    );
  }
  const host = text.slice(0, colon);
  if (host.startsWith("[") && host.endsWith("]")) {
    const bare = host.slice(1, -1);
    if (!isIPv6(bare)) throw invalidAddress(text, what);
    return { host: bare, port };
  }
  if (isIPv4(host)) return { host, port };
  // What looks like numbers and dots but is no IPv4 address would be resolved in surprising ways.
  if (!HOST_NAME.test(host) || /^[\d.]+$/.test(host)) throw invalidAddress(text, what);
  return { host: host.toLowerCase(), port };
}

/** Reads `host:port`, or several of them separated by `|`: one peer reached over several networks. */
export function parseAddresses(text: string, what: string): readonly HostPort[] {
  const parts = text.split(ADDRESS_SEPARATOR).map((part) => part.trim());
  if (parts.length > ADDRESSES_MAX) {
    throw new ServerError("CONFIG_INVALID", `${what}: at most ${ADDRESSES_MAX} addresses`);
  }
  const addresses = parts.map((part) => parseHostPort(part, what));
  if (new Set(addresses.map(formatHostPort)).size < addresses.length) {
    throw new ServerError("CONFIG_INVALID", `${what}: ${text} names an address twice`);
  }
  return addresses;
}

/** The text form that {@link parseHostPort} reads back. */
export function formatHostPort(address: HostPort): string {
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

/** True for what cannot be reached from another machine: 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  if (isIPv6(host)) return isLoopbackV6(host.toLowerCase());
  return host.toLowerCase() === "localhost";
}

function isLoopbackV6(host: string): boolean {
  const mapped = /^(?:0*:)*:?ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(host)?.[1];
  if (mapped !== undefined) return mapped.startsWith("127.");
  return /^(?:0*:)+0*1$/.test(host);
}

function invalidAddress(text: string, what: string): ServerError {
  return new ServerError(
    "CONFIG_INVALID",
    `${what}: ${JSON.stringify(text)} is no address; write host:port, for example 127.0.0.1:7001`,
  );
}
