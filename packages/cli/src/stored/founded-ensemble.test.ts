import { createServerConfig } from "@quorate/server";
import { describe, expect, test } from "vitest";
import { formatFounded, readFounder } from "./founded-ensemble.ts";

const { tree: LIMITS } = createServerConfig({
  name: "1",
  members: [{ name: "1", peer: "127.0.0.1:7101", client: "127.0.0.1:7001" }],
}).limits;

const FOUNDED = {
  directory: "/data/new",
  name: "1",
  clusterId: "7794ca187077ffd7",
  historyId: "7794ca187077ffd7-1",
  term: 1,
  zxid: 51,
  znodes: 8,
  sessions: 0,
  digest: "763a5ea140c6e48b",
  limits: LIMITS,
};

describe("the member of a new ensemble", () => {
  test.each([
    ["1=127.0.0.1:7101,127.0.0.1:7001", "127.0.0.1:7101", "127.0.0.1:7001"],
    ["1=10.0.0.1:7101,10.0.0.1:7001", "10.0.0.1:7101", "10.0.0.1:7001"],
    ["1=127.0.0.1:7101,quorate.example:7001", "127.0.0.1:7101", "quorate.example:7001"],
  ])("%s may be reached from anywhere", (text, peerAddress, clientAddress) => {
    const { member } = readFounder(text);
    expect(member).toMatchObject({ name: "1", peerAddress, clientAddress });
  });

  test.each(["1=", "1=10.0.0.1:7101", "nonsense"])("%s is wrong usage", (text) => {
    expect(() => readFounder(text)).toThrow(/NAME=PEER,CLIENT/);
  });
});

/** The command lines for a new ensemble of one member, by the first word of each. */
function linesFor(
  member: string,
  runner = "",
  changes: Partial<typeof FOUNDED> = {},
): readonly string[] {
  const text = formatFounded({ ...FOUNDED, ...changes }, readFounder(member), runner);
  return text.split("\n").flatMap((line) => (line.startsWith("  ") ? [line.slice(2)] : []));
}

describe("how a new ensemble goes on", () => {
  test("is told in command lines that work as they are, beside it", () => {
    const member = "1=127.0.0.1:7411,127.0.0.1:7401";
    expect(linesFor(member)).toEqual([
      `quorate-server --name 1 --member ${member} --data-directory /data/new`,
      `quorate-server --name 2 --join --member 2=127.0.0.1:7412,127.0.0.1:7402 --member ${member} --data-directory /data/new-2`,
      "quorate member add 2 --servers 127.0.0.1:7401",
    ]);
    const [, joining] = linesFor("a=127.0.0.1:65535,127.0.0.1:65534");
    expect(joining).toContain("--name other --join --member other=127.0.0.1:65533,127.0.0.1:65532");
  });

  test("is told with what runs them in a clone", () => {
    const lines = linesFor("1=127.0.0.1:7411,127.0.0.1:7401", "npx ");
    expect(lines.filter((line) => !line.startsWith("npx quorate"))).toEqual([]);
  });

  test.each(["1=10.0.0.1:7101,10.0.0.1:7001", "1=127.0.0.1:7101,10.0.0.1:7001"])(
    "both servers of %s are started with what its addresses need",
    (member) => {
      const [first, joining] = linesFor(member);
      for (const line of [first, joining]) expect(line).toMatch(/ --insecure$/);
      expect(joining).toContain("--member 2=HOST:7101,HOST:7001");
    },
  );

  test.each([
    [{ bytesMax: 1_234_567 }, "--tree-bytes-max 1234567"],
    [{ sessionsMax: 7 }, "--sessions-max 7"],
    [{ bytesMax: 1_234_567, sessionsMax: 7 }, "--tree-bytes-max 1234567 --sessions-max 7"],
  ])("both servers are started with the limits %o", (changes, flags) => {
    const limits = { ...LIMITS, ...changes };
    const [first, joining] = linesFor("1=10.0.0.1:7101,10.0.0.1:7001", "", { limits });
    expect(first).toMatch(new RegExp(` --data-directory /data/new ${flags} --insecure$`));
    expect(joining).toMatch(new RegExp(` --data-directory /data/new-2 ${flags} --insecure$`));
  });

  test("a shell takes the directory and the addresses for one word each", () => {
    const member = "1=[::1]:7101,127.0.0.1:7001";
    const [first] = linesFor(member, "", { directory: "/data/it's new" });
    expect(first).toBe(
      `quorate-server --name 1 --member '${member}' --data-directory '/data/it'\\''s new'`,
    );
  });
});
