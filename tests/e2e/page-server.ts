import { readFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** Folders that a page may load modules from, as they are shipped. */
const FOLDERS: Readonly<Record<string, string>> = {
  client: fromRoot("packages/client/dist"),
  protocol: fromRoot("packages/kv-store/dist/protocol"),
  msgpackr: fromRoot("node_modules/msgpackr"),
};

/** What a bundler finds out from the `browser` conditions of the packages. */
const IMPORT_MAP = {
  imports: {
    "@quorate/client": "/client/index.js",
    "@quorate/kv-store/protocol": "/protocol/index.js",
    "#socket": "/client/browser-socket.js",
    msgpackr: "/msgpackr/index.js",
  },
};

const PAGE = `<!doctype html><title>Quorate</title>
<script type="importmap" nonce="map">${JSON.stringify(IMPORT_MAP)}</script>`;

/** As strict as a page can be that has an import map: no code from text, no connections but WebSockets. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self' 'nonce-map'; connect-src ws:; trusted-types 'none'; " +
  "require-trusted-types-for 'script'";

/** An application's web server on a free loopback port: an empty page, and the SDK as native modules. */
export class PageServer {
  readonly #http: Server;
  readonly #port: number;

  private constructor(http: Server, port: number) {
    this.#http = http;
    this.#port = port;
  }

  static async listen(): Promise<PageServer> {
    const http = createServer((request, response) => void serve(request.url ?? "/", response));
    await new Promise<void>((resolve, reject) => {
      http.once("error", reject);
      http.listen({ host: "127.0.0.1", port: 0 }, resolve);
    });
    const address = http.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new PageServer(http, address.port);
  }

  /** What a browser names as origin of the page. */
  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
    });
    this.#http.closeAllConnections();
    await closed;
  }
}

async function serve(path: string, response: ServerResponse): Promise<void> {
  const [, folder = "", file = ""] = /^\/([a-z]+)\/([\w./-]+\.js)$/.exec(path) ?? [];
  const directory = FOLDERS[folder];
  try {
    if (path !== "/" && directory === undefined) throw new Error("no such folder");
    const body = path === "/" ? PAGE : await readFile(join(directory ?? "", normalize(`/${file}`)));
    response.writeHead(200, {
      "content-type": path === "/" ? "text/html" : "text/javascript",
      "content-security-policy": CONTENT_SECURITY_POLICY,
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}

function fromRoot(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
