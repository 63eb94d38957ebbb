import { describe, expect, test } from "vitest";
import { FakeNetwork } from "../../../tests/support/client/fake-network.ts";
import { ServerList, parseServer } from "./server-list.ts";

const { random } = new FakeNetwork().ports;

function roundOf(list: ServerList, last: string | null = null): string[] {
  list.startRound(last);
  const servers: string[] = [];
  for (let server = list.next(); server !== null; server = list.next()) servers.push(server);
  return servers;
}

describe("parseServer", () => {
  test.each([
    ["a:1", { secure: null, hostPort: "a:1" }],
    ["ws://a.example:65535/", { secure: false, hostPort: "a.example:65535" }],
    ["wss://[::1]:2181", { secure: true, hostPort: "[::1]:2181" }],
    ["10.0.0.1:2181", { secure: null, hostPort: "10.0.0.1:2181" }],
  ])("%s", (text, parsed) => {
    expect(parseServer(text)).toEqual(parsed);
  });

  test.each([
    "",
    "a",
    "a:",
    ":1",
    "a:0",
    "a:65536",
    "a:1x",
    "a b:1",
    "http://a:1",
    "a:1/x",
    "u@a:1",
  ])("no address: %j", (text) => {
    expect(parseServer(text)).toBeNull();
  });
});

describe("ServerList", () => {
  test("each round names every server once, in changing order", () => {
    const list = new ServerList(["a:1", "b:1", "c:1", "a:1"], random);
    expect(list.count).toBe(3);
    const orders = Array.from({ length: 50 }, () => roundOf(list));
    for (const order of orders) expect(new Set(order)).toEqual(new Set(["a:1", "b:1", "c:1"]));
    expect(new Set(orders.map(([first]) => first)).size).toBe(3);
  });

  test("servers that failed come late, the one just lost last", () => {
    const list = new ServerList(["a:1", "b:1", "c:1"], random);
    list.note("a:1", true);
    for (let i = 0; i < 20; i += 1) expect(roundOf(list, "b:1")).toEqual(["c:1", "a:1", "b:1"]);
    list.note("a:1", false);
    expect(new Set(Array.from({ length: 50 }, () => roundOf(list)[0])).size).toBe(3);
  });

  test("forgets members that are none any more, and keeps what the application gave", () => {
    const list = new ServerList(["a:1", "b:1"], random);
    list.learn(["A:1", "c:1", "d:1"]);
    expect(roundOf(list).sort()).toEqual(["a:1", "b:1", "c:1", "d:1"]);
    list.note("d:1", true);
    list.learn(["d:1", "e:1"]);
    expect(roundOf(list).sort()).toEqual(["a:1", "b:1", "d:1", "e:1"]);
    expect(roundOf(list).at(-1)).toBe("d:1");
  });

  test("learned addresses are bounded and never lower the security asked for", () => {
    const secure = new ServerList(["wss://a:1"], random);
    secure.learn(["b:1", "ws://c:1", "wss://d:1", "nonsense"]);
    expect(roundOf(secure).sort()).toEqual(["wss://a:1", "wss://b:1", "wss://d:1"]);
    const list = new ServerList(["a:1"], random);
    list.learn(Array.from({ length: 1_000 }, (_, i) => `h${i}:1`));
    expect(list.count).toBe(64);
  });
});
