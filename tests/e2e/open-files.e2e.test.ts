import { connect } from "@quorate/client";
import { expect, test } from "vitest";
import { IdleConnections } from "./idle-connections.ts";
import { LimitedNode, cannotLimit } from "./limited-node.ts";

/** So few that several hundred connections would take them all. */
const FILES_MAX = 256;
/** `SERVER_EXIT_CODES.usage` */
const EXIT_USAGE = 2;
/** Each write of a value takes a segment of its own. */
const FLAGS = ["--log-segment-bytes", "65536", "--log-format", "text"];
const VALUE = new Uint8Array(100_000);
const WRITES = 40;

test("connections that nobody uses leave the node the files that it needs", async () => {
  const node = await LimitedNode.start(FILES_MAX, FLAGS);
  await node.ready();
  expect(node.output).toMatch(/WARN.* may have 256 files open.* instead of 20000.*ulimit -n/);
  await using client = await connect({ servers: [node.server] });
  await client.create("/a", "");
  {
    using idle = new IdleConnections(node.server, 400);
    await expect.poll(() => idle.closedCount, { timeout: 20_000 }).toBeGreaterThan(400);
    for (let at = 0; at < WRITES; at += 1) await client.set("/a", VALUE, { timeoutMs: 20_000 });
  }
  expect(node.logSegments).toBeGreaterThan(WRITES / 2);
  expect(node.output).not.toContain("EMFILE");
  // Until then it may still have what was just closed.
  await node.ready();
  await using other = await connect({ servers: [node.server] });
  expect((await other.get("/a")).data).toHaveLength(VALUE.length);
  expect(node.exit).toBeNull();
});

test("a node that may open no more files waits until it may, and nothing is lost", async (context) => {
  const reason = cannotLimit();
  if (reason !== null) context.skip(`no process can be limited here: ${reason}`);
  const node = await LimitedNode.start(FILES_MAX, FLAGS);
  await node.ready();
  await using client = await connect({ servers: [node.server], sessionTimeoutMs: 60_000 });
  await client.create("/a", "");
  // Fewer than it has: what is open stays open.
  node.limit(16);
  const written = Promise.all(
    Array.from({ length: WRITES }, () => client.set("/a", VALUE, { timeoutMs: 60_000 })),
  );
  await expect
    .poll(() => node.output, { timeout: 20_000 })
    .toContain("no more files may be opened");
  // It cannot be asked: a connection would be a file more.
  node.limit(null);
  await written;
  await node.ready();
  await expect.poll(() => node.output).toContain("files can be opened again");
  const { data, stat } = await client.get("/a");
  expect([data.length, stat.version]).toEqual([VALUE.length, WRITES]);
  expect(node.exit).toBeNull();
});

test.each([
  [24, "too few to load the program"],
  [100, "just about enough to load it"],
  [180, "enough to start with hardly any client"],
])(
  "a node that may have %i files open, %s, does not start and says what to do",
  async (filesMax) => {
    const node = await LimitedNode.start(filesMax, FLAGS);
    expect(await node.ended()).toBe(EXIT_USAGE);
    expect(node.output).toMatch(new RegExp(`^CONFIG_INVALID: .* ${filesMax} files .*ulimit -n`));
  },
);
