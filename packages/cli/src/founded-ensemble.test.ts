import { describe, expect, test } from "vitest";
import { formatFounded, readFounder } from "./founded-ensemble.ts";

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

describe("how a new ensemble goes on", () => {
  test("`member add` goes to it and not to whatever listens at the default addresses", () => {
    const text = formatFounded(FOUNDED, readFounder("1=127.0.0.1:7411,127.0.0.1:7401"));
    expect(text).toContain("quorate member add OTHER --servers 127.0.0.1:7401\n");
    expect(text).not.toContain("--insecure");
  });

  test.each(["1=10.0.0.1:7101,10.0.0.1:7001", "1=127.0.0.1:7101,10.0.0.1:7001"])(
    "both servers of %s are started with what its addresses need",
    (member) => {
      const text = formatFounded(FOUNDED, readFounder(member));
      const servers = text.split("\n").filter((line) => line.startsWith("  quorate-server"));
      expect(servers).toHaveLength(2);
      for (const line of servers) expect(line).toMatch(/ --insecure$/);
    },
  );

  test("a shell takes the directory for one word", () => {
    const member = "1=127.0.0.1:7101,127.0.0.1:7001";
    const text = formatFounded({ ...FOUNDED, directory: "/data/it's new" }, readFounder(member));
    expect(text).toContain(`--member ${member} --data-directory '/data/it'\\''s new'\n`);
  });
});
