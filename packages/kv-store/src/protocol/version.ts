/**
 * Version of the client wire protocol. A server refuses any other with UNSUPPORTED_VERSION and names its own.
 *
 * History: 1 = first.
 */
export const PROTOCOL_VERSION = 1;
