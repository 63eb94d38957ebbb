/** The URL of a server given as `host:port` or as a URL already. */
export function serverUrl(server: string): string {
  return server.includes("://") ? server : `ws://${server}`;
}
