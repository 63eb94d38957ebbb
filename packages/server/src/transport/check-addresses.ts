import type { HostPort } from "../config/address.ts";
import type { Connection, Listener, Transport } from "../ports.ts";

const FOR_NOBODY = {
  ...{ frameBytesMax: 1, connectionsMax: 1, allowedOrigins: [], http: null },
  accept: (connection: Connection): void => connection.destroy(),
};

/**
 * Listens on all of the addresses for a moment. Rejects with ADDRESS_IN_USE or ADDRESS_UNAVAILABLE where that cannot be; nothing
 * is listened on any more then either. Whoever connects meanwhile is let go.
 */
export async function checkAddresses(
  transport: Transport,
  addresses: readonly HostPort[],
): Promise<void> {
  const listeners: Listener[] = [];
  try {
    for (const address of addresses) {
      listeners.push(await transport.listen({ ...address, ...FOR_NOBODY }));
    }
  } finally {
    await Promise.all(listeners.map((listener) => listener.close()));
  }
}
