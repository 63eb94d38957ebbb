import type { ServerPorts } from "../ports.ts";

/** The ports of this machine. */
export declare function systemPorts(): ServerPorts;
