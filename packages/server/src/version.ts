/** Version of this server, the same as its package's. */
export const SERVER_VERSION = "0.1.0";
