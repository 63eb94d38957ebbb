/**
 * What stands before the command lines that are printed: "npx " where npm has started this one, as in a clone, where the
 * programs are not on the path.
 */
export function npmRunner(env: Readonly<Record<string, string | undefined>>): string {
  return env["npm_lifecycle_event"] === undefined ? "" : "npx ";
}
