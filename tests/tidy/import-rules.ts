import { posix } from "node:path";
import { blankComments } from "./blank-text.ts";
import { packageOf, type SourceFile } from "./source-files.ts";

/** An import that its layer does not have, in words. */
export type ImportBreach = string;

interface Layer {
  readonly may: readonly string[];
  readonly mayNode: boolean;
  readonly reason: string;
}

/** Who may import whom: ARCHITECTURE.md, "Layers". */
const LAYERS: Readonly<Record<string, Layer>> = {
  raft: {
    may: [],
    mayNode: false,
    reason: "raft is a pure core: everything comes in as input and leaves in a Ready",
  },
  "kv-store": {
    may: ["msgpackr"],
    mayNode: false,
    reason: "kv-store is a pure state machine: replicas must compute alike from the log alone",
  },
  client: {
    may: ["@quorate/kv-store/protocol", "ws"],
    mayNode: false,
    reason: "the client knows the wire protocol and a socket, never the server or its state",
  },
  server: {
    may: [
      "@quorate/raft",
      "@quorate/kv-store",
      "@quorate/kv-store/protocol",
      "level",
      "msgpackr",
      "pino",
      "prom-client",
      "smol-toml",
      "valibot",
      "ws",
    ],
    mayNode: true,
    reason:
      "the server hosts raft and kv-store; it does not know its clients' SDK or the command line",
  },
  cli: {
    may: [
      "@quorate/client",
      "@quorate/kv-store",
      "@quorate/kv-store/protocol",
      "@quorate/server",
      "cli-table3",
      "commander",
    ],
    mayNode: true,
    reason: "the command line uses what applications and operators use",
  },
};

/** Libraries of which a package sees one adapter only, one file or one folder. */
const BEHIND_ONE_ADAPTER: ReadonlySet<string> = new Set([
  "level",
  "pino",
  "prom-client",
  "smol-toml",
  "valibot",
  "ws",
]);

/** The client's only file that may name what a browser lacks. */
const CLIENT_NODE_FILE = "packages/client/src/ws-socket.ts";

const PROTOCOL = "packages/kv-store/src/protocol/";
/** The one thing outside its folder that the wire protocol shares: how an invariant is asserted. */
const ASSERTION = "packages/kv-store/src/assert.ts";

/** What a file imports, also dynamically and by re-export. */
export function importsOf(text: string): readonly string[] {
  const code = blankComments(text, { strings: false });
  const found = code.matchAll(/(?:^|[\s;}])(?:from|import)\s*\(?\s*["']([^"']+)["']/g);
  return [...found].map((match) => match[1] ?? "");
}

/** What a file has loaded before it runs itself: neither what it imports when it is asked to, nor types. */
export function loadedBy(text: string): readonly string[] {
  const code = blankComments(text, { strings: false });
  const found = code.matchAll(
    /(?:^|[\n;}])\s*(?:import|export)\b(?!\s+type\b)(?:[^"'();]*?\bfrom)?\s*["']([^"']+)["']/g,
  );
  return [...found].map((match) => match[1] ?? "");
}

/** The imports of other packages that come with the file at `path`, be it through others, each with the file that has it. */
export function loadedWith(
  path: string,
  files: readonly SourceFile[],
): ReadonlyMap<string, string> {
  const texts = new Map(files.map((file) => [file.path, file.text]));
  const foreign = new Map<string, string>();
  const seen = new Set([path]);
  for (const at of seen) {
    for (const specifier of loadedBy(texts.get(at) ?? "")) {
      if (specifier.startsWith(".")) seen.add(posix.join(posix.dirname(at), specifier));
      else foreign.set(specifier, at);
    }
  }
  return foreign;
}

/** Every import that breaks its layer's rule. */
export function findImportBreaches(files: readonly SourceFile[]): readonly ImportBreach[] {
  return files.flatMap((file) =>
    importsOf(file.text).flatMap((specifier) => {
      const why = refusal(file.path, specifier);
      return why === null ? [] : [`${file.path} imports ${specifier}: ${why}`];
    }),
  );
}

/** Libraries that more than one folder of a package imports. */
export function findScatteredLibraries(files: readonly SourceFile[]): readonly string[] {
  const places = new Map<string, Set<string>>();
  for (const file of files) {
    for (const specifier of importsOf(file.text)) {
      if (!BEHIND_ONE_ADAPTER.has(specifier)) continue;
      const key = `${packageOf(file.path)} imports ${specifier}`;
      const place = adapterOf(file.path);
      places.set(key, (places.get(key) ?? new Set()).add(place));
    }
  }
  return [...places]
    .filter(([, found]) => found.size > 1)
    .map(([key, found]) => `${key} in several places: ${[...found].toSorted().join(", ")}`);
}

/** A file directly in `src` is an adapter of its own, otherwise its folder is. */
function adapterOf(path: string): string {
  const folder = posix.dirname(path);
  return folder.endsWith("/src") ? path : folder;
}

function refusal(path: string, specifier: string): string | null {
  if (specifier.startsWith(".")) return refusalOfRelative(path, specifier);
  // A name of the package's own for one of its files, resolved by its package.json.
  if (specifier.startsWith("#")) return null;
  const name = packageOf(path);
  const layer = LAYERS[name];
  if (layer === undefined) return `${name} has no layer yet: give it one here`;
  if (path.includes("/kv-store/src/protocol/") && specifier.startsWith("@quorate/")) {
    return "the wire protocol stands on its own";
  }
  if (name === "client" && specifier === "ws" && path !== CLIENT_NODE_FILE) {
    return `only ${CLIENT_NODE_FILE} may: the rest runs in browsers`;
  }
  if (specifier.startsWith("node:")) {
    return layer.mayNode || path === CLIENT_NODE_FILE ? null : layer.reason;
  }
  return layer.may.includes(specifier) ? null : layer.reason;
}

function refusalOfRelative(path: string, specifier: string): string | null {
  if (!specifier.endsWith(".ts")) return "relative imports name the .ts file";
  const target = posix.join(posix.dirname(path), specifier);
  const source = `packages/${packageOf(path)}/src/`;
  if (!target.startsWith(source)) return "packages import each other by name, never by path";
  const isWithin = target.startsWith(PROTOCOL) || target === ASSERTION;
  if (path.startsWith(PROTOCOL) && !isWithin) {
    return "the wire protocol knows nothing of the state machine, clients depend on it alone";
  }
  return null;
}
