import { expect, test } from "vitest";
import { SERVER_LIMITS, validateLimits, type ServerLimits } from "../limits.ts";
import { fitOpenFiles } from "./fit-open-files.ts";

const withConnections = (connectionsMax: number): ServerLimits => ({
  ...SERVER_LIMITS,
  client: { ...SERVER_LIMITS.client, connectionsMax },
});

/** All sockets that listeners accept, beside those that come with peers that are there. */
const socketsOf = ({ client, peer }: ServerLimits): number =>
  client.connectionsMax + client.otherSocketsMax + 2 * peer.greetingMax + peer.otherSocketsMax;

test("nothing is lowered where all fits, or nobody knows what does", () => {
  for (const filesMax of [null, 21_428, 65_536, 1_048_576]) {
    const fitted = fitOpenFiles(SERVER_LIMITS, filesMax);
    expect(fitted).toEqual({ limits: SERVER_LIMITS, notice: null });
  }
});

test("where all clients fit because strangers get a part, they get that part", () => {
  const { limits, notice } = fitOpenFiles(withConnections(16), 256);
  expect(notice).toBeNull();
  expect(limits.client.connectionsMax).toBe(16);
  expect(socketsOf(limits)).toBeLessThan(256 - 80);
});

test.each([
  [21_427, 19_999, "info"],
  [11_428, 10_000, "info"],
  [11_427, 9_999, "warn"],
  [4096, 2829, "warn"],
  [1024, 372, "warn"],
  [256, 45, "warn"],
])("of %i files clients get %i", (filesMax, connectionsMax, level) => {
  const { limits, notice } = fitOpenFiles(SERVER_LIMITS, filesMax);
  expect(limits.client.connectionsMax).toBe(connectionsMax);
  expect(notice?.level).toBe(level);
  expect(notice?.text).toMatch(
    new RegExp(
      `${filesMax} files open: clients get ${connectionsMax} .* instead of 20000; .*21428`,
    ),
  );
  expect(() => validateLimits(limits)).not.toThrow();
});

test("peers and strangers get a part only where there is next to nothing", () => {
  expect(fitOpenFiles(SERVER_LIMITS, 1024).limits.peer).toEqual(SERVER_LIMITS.peer);
  const { peer, client } = fitOpenFiles(SERVER_LIMITS, 256).limits;
  expect(peer).toEqual({ ...SERVER_LIMITS.peer, greetingMax: 16, otherSocketsMax: 16 });
  expect(client.otherSocketsMax).toBe(16);
});

test("a node that starts has files left for itself, whoever connects", () => {
  for (let filesMax = 64; filesMax < 22_000; filesMax += 1) {
    let limits: ServerLimits;
    try {
      ({ limits } = fitOpenFiles(SERVER_LIMITS, filesMax));
    } catch {
      expect(filesMax).toBeLessThan(200);
      continue;
    }
    expect(limits.client.connectionsMax).toBeGreaterThanOrEqual(16);
    expect(filesMax - socketsOf(limits)).toBeGreaterThanOrEqual(80);
  }
});

test("where clients would get next to nothing that is refused, with what to do", () => {
  for (const filesMax of [0, 64, 128, 180]) {
    expect(() => fitOpenFiles(SERVER_LIMITS, filesMax)).toThrow(
      new RegExp(`^CONFIG_INVALID: .* ${filesMax} files open, .* 1024 or more \\(ulimit -n`),
    );
  }
});
