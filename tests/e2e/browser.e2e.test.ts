import type * as module from "@quorate/client";
import { connect, type QuorateClient } from "@quorate/client";
import { expect, onTestFinished, test, type TestContext } from "vitest";
import { Chromium, isChromiumInstalled } from "./chromium.ts";
import type { DevTools } from "./dev-tools.ts";
import { startEnsemble, type TestEnsemble } from "./ensemble.ts";
import { PageServer } from "./page-server.ts";
import { poll } from "./poll.ts";

/** What the pages of these tests keep: the SDK, as they loaded it, and their client. */
declare const sdk: typeof module;
declare let client: QuorateClient;

const SESSION_TIMEOUT_MS = 4_000;

test("the SDK in a browser reads, writes, watches and locks, and its ephemerals go with its session", async (context) => {
  const { ensemble, page, node } = await startPage(context);
  await page.run(openClient, ensemble.servers, SESSION_TIMEOUT_MS);
  expect(await page.run(() => client.state.kind)).toBe("connected");

  const bytes = Array.from({ length: 256 }, (_, at) => at);
  const created = await page.run(async (content) => {
    return client.create("/page", new Uint8Array(content));
  }, bytes);
  expect(created).toBe("/page");
  expect([...(await node.get("/page")).data]).toEqual(bytes);

  await node.set("/page", "from Node");
  const read = await page.run(async () => {
    const { data, stat } = await client.get("/page");
    return { text: new TextDecoder().decode(data), version: stat.version };
  });
  expect(read).toEqual({ text: "from Node", version: 1 });

  await page.run(async () => {
    const watch = await client.watch("/page", { withData: true });
    Reflect.set(globalThis, "watched", watch[Symbol.asyncIterator]().next());
  });
  await node.set("/page", "seen");
  const noticed = await page.run(async () => {
    const { value } = await Reflect.get(globalThis, "watched");
    return { kind: value.kind, path: value.path, text: new TextDecoder().decode(value.data) };
  });
  expect(noticed).toEqual({ kind: "dataChanged", path: "/page", text: "seen" });

  const token = await page.run(async () => {
    const lock = await client.lock("/lock").acquire({ timeoutMs: 10_000 });
    Reflect.set(globalThis, "held", lock);
    return lock.token;
  });
  expect(await node.lock("/lock").tryAcquire()).toBeNull();
  const next = node.lock("/lock").acquire({ timeoutMs: 10_000 });
  await page.run(() => Reflect.get(globalThis, "held").release());
  expect((await next).token).toBeGreaterThan(token);

  const refused = await page.run(() =>
    client.create("/page").catch((error: { readonly code: string }) => error.code),
  );
  expect(refused).toBe("NODE_EXISTS");

  await page.run(() => client.create("/alive", "", { mode: "ephemeral" }));
  expect(await node.exists("/alive")).not.toBeNull();
  await page.run(() => client.close());
  expect(await node.exists("/alive")).toBeNull();
  expect(await page.run(() => client.state.kind)).toBe("closed");
});

test("a page's session outlives the loss of its server, and ends some time after its tab was closed", async (context) => {
  const { ensemble, page, node } = await startPage(context);
  await page.run(openClient, ensemble.servers, SESSION_TIMEOUT_MS);
  const before = await page.run(async () => {
    await client.create("/alive", "", { mode: "ephemeral" });
    const { state } = client;
    return { session: client.session, server: state.kind === "connected" ? state.server : "" };
  });
  const attached = ensemble.names.find((name) => ensemble.directServer(name) === before.server);
  await ensemble.kill(attached ?? "");
  const after = await page.run(async () => {
    const stat = await client.set("/alive", "still", { timeoutMs: 30_000 });
    return { session: client.session, version: stat.version };
  });
  expect(after).toEqual({ session: before.session, version: 1 });

  await page.send("Page.close");
  await poll("the closed tab's ephemeral to go", 30_000, async () =>
    (await node.exists("/alive", { timeoutMs: 30_000 })) === null ? true : null,
  );
});

test("a page's session lives on in a background tab whose timers the browser holds back", async (context) => {
  const { ensemble, chromium, page, node } = await startPage(context);
  await page.run(openClient, ensemble.servers, SESSION_TIMEOUT_MS);
  const session = await page.run(async () => {
    await client.create("/alive", "", { mode: "ephemeral" });
    return client.session;
  });
  await page.run(() => {
    const kept = { lastTickMs: performance.now(), states: [] as string[] };
    const tick = (): void => {
      kept.lastTickMs = performance.now();
      setTimeout(tick, 100);
    };
    tick();
    const follow = async (): Promise<void> => {
      for await (const state of client.states()) kept.states.push(state.kind);
    };
    void follow();
    Reflect.set(globalThis, "kept", kept);
  });
  const other = await chromium.open("about:blank");
  await other.send("Page.bringToFront");
  await poll("the page's own timer to stand still", 90_000, async () => {
    const silentMs = await page.run(
      () => performance.now() - Number(Reflect.get(globalThis, "kept").lastTickMs),
    );
    return silentMs > 2 * SESSION_TIMEOUT_MS ? true : null;
  });
  // A busy machine may cost it a connection, never its session.
  expect(await page.run(() => Reflect.get(globalThis, "kept").states)).not.toContain("expired");
  expect((await node.exists("/alive"))?.ephemeralOwner).toBe(session);
  expect(await page.run(() => client.set("/alive", "still").then((stat) => stat.version))).toBe(1);
  expect(await page.run(() => client.session)).toBe(session);
});

test("a page of an origin that no server lists is refused, and its error says what may be the reason", async (context) => {
  const { ensemble, chromium } = await startPage(context);
  const stranger = await PageServer.listen();
  onTestFinished(() => stranger.close());
  const page = await openPage(chromium, stranger);
  const refused = await page.run(
    async (servers, origin) => {
      const error = await sdk
        .connect({ servers, connectTimeoutMs: 1_000 })
        .catch((reason: { readonly code: string; readonly message: string }) => reason);
      if (!("code" in error)) return { code: "connected", names: false };
      const names = error.message.includes(`allowed-origins is ${origin}`);
      return { code: error.code, names };
    },
    ensemble.servers,
    stranger.origin,
  );
  expect(refused).toEqual({ code: "CONNECTION_FAILED", names: true });
});

async function startPage({ skip }: TestContext): Promise<{
  readonly ensemble: TestEnsemble;
  readonly chromium: Chromium;
  readonly page: DevTools;
  readonly node: QuorateClient;
}> {
  const mayStandAside = process.env["CI"] === undefined;
  skip(mayStandAside && !isChromiumInstalled(), "needs Debian's package chromium");
  const server = await PageServer.listen();
  onTestFinished(() => server.close());
  const ensemble = await startEnsemble({ flags: ["--allowed-origins", server.origin] });
  const chromium = await Chromium.launch();
  onTestFinished(() => chromium.close());
  const node = await connect({ servers: ensemble.servers });
  onTestFinished(() => node.close());
  return { ensemble, chromium, page: await openPage(chromium, server), node };
}

async function openPage(chromium: Chromium, server: PageServer): Promise<DevTools> {
  const page = await chromium.open(server.origin);
  const isLoaded = `location.origin === "${server.origin}" && document.readyState === "complete"`;
  await poll("the page to load", 30_000, async () =>
    (await page.evaluate<boolean>(isLoaded)) ? true : null,
  );
  // As text, because test runners rewrite imports.
  await page.evaluate(`import("@quorate/client").then((all) => { globalThis.sdk = all; })`);
  return page;
}

async function openClient(servers: readonly string[], sessionTimeoutMs: number): Promise<void> {
  const opened = await sdk.connect({ servers, sessionTimeoutMs, name: "page" });
  Reflect.set(globalThis, "client", opened);
}
