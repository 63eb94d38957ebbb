import type { ServerPorts } from "../ports.ts";
import { NodeFiles } from "../storage/node-files.ts";
import { ThreadedImageStores } from "../storage/threaded-image-stores.ts";
import { WsTransport } from "../transport/ws-transport.ts";
import { SystemClock } from "./system-clock.ts";
import { SystemRandom } from "./system-random.ts";
import { SystemWallClock } from "./system-wall-clock.ts";

/** The ports of this machine: its clocks, its disk, its network. */
export function systemPorts(): ServerPorts {
  return {
    clock: new SystemClock(),
    wallClock: new SystemWallClock(),
    random: new SystemRandom(),
    files: new NodeFiles(),
    images: new ThreadedImageStores(),
    transport: new WsTransport(),
  };
}
