import type { Connection, DialOptions, ListenOptions, Listener, Transport } from "../ports.ts";

/** Frames as binary WebSocket messages. */
export declare class WsTransport implements Transport {
  listen(options: ListenOptions): Promise<Listener>;
  dial(options: DialOptions): Promise<Connection>;
}
