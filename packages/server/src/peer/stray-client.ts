import {
  PROTOCOL_VERSION,
  ProtocolError,
  decodeClientFrame,
  encodeServerFrame,
} from "@quorate/kv-store/protocol";

/** True for the first frame of a client: it came to the wrong port. */
export function isClientHello(frame: Uint8Array): boolean {
  try {
    return decodeClientFrame(frame)[0]?.kind === "hello";
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** What a client hears that came to the port for peers. `clientAddress`: where clients reach this node. */
export function goodbyeToClient(clientAddress: string): Uint8Array {
  const message = `this is the port for other servers; clients connect to ${clientAddress}`;
  const protocolVersion = PROTOCOL_VERSION;
  return encodeServerFrame([
    { kind: "goodbye", code: "WRONG_PORT", message, fatal: true, protocolVersion },
  ]);
}
