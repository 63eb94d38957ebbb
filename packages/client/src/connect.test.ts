import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { FakeNetwork } from "../../../tests/support/client/fake-network.ts";
import { errorOf, openClient, outcomeOf } from "../../../tests/support/client/open-client.ts";
import type { ConnectOptions } from "./api.ts";
import { connect } from "./connect.ts";

describe("connect", () => {
  test("a session timeout below the service's least does not hurry the dialling", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1"], sessionTimeoutMs: 1 }, net.ports);
    await net.clock.advance(200);
    expect(net.dialled).toHaveLength(1);
    expect(net.last.hello()).toMatchObject({ timeoutMs: 1_000 });
    net.last.welcome({ timeoutMs: 1_000 });
    expect((await connecting).sessionTimeoutMs).toBe(1_000);
  });

  test("a session timeout above the service's greatest is cut to it", async () => {
    const net = new FakeNetwork();
    void connect({ servers: ["a:1"], sessionTimeoutMs: 1e12 }, net.ports);
    await net.clock.settle();
    expect(net.last.hello()).toMatchObject({ timeoutMs: 600_000 });
  });

  test("aborted in the turn of the welcome: ABORTED, not a client that is none", async () => {
    const net = new FakeNetwork();
    const abort = new AbortController();
    const connecting = connect({ servers: ["a:1"], signal: abort.signal }, net.ports);
    await net.clock.settle();
    net.last.welcome();
    abort.abort();
    expect(await errorOf(connecting)).toMatchObject({ code: "ABORTED" });
    expect(net.clock.timerCount).toBe(0);
  });

  test("once connected its signal and its timeout mean nothing", async () => {
    const abort = new AbortController();
    const options = { signal: abort.signal, connectTimeoutMs: 3_000, sessionTimeoutMs: 600_000 };
    const { net, client } = await openClient(options);
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    abort.abort();
    await net.clock.advance(3_000);
    expect(client.state.kind).toBe("connected");
  });
});

describe("options that are none", () => {
  test.each([undefined, null, "127.0.0.1:7001", 7, () => undefined, ["127.0.0.1:7001"]])(
    "%s is BAD_ARGUMENTS, and the text shows what they look like",
    async (options) => {
      // As callers without types do.
      const connecting = connect(options as unknown as ConnectOptions, new FakeNetwork().ports);
      expect(await errorOf(connecting)).toMatchObject({
        code: "BAD_ARGUMENTS",
        message: expect.stringContaining("127.0.0.1:7001"),
      });
    },
  );
});

describe("servers of another version", () => {
  test("make way for one that speaks this client's: an ensemble is upgraded node by node", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1", "b:1", "c:1"] }, net.ports);
    for (let refusals = 1; refusals <= 2; refusals += 1) {
      await net.clock.settle();
      net.last.goodbye("UNSUPPORTED_VERSION", true);
    }
    await net.clock.settle();
    net.last.welcome();
    expect((await connecting).state.kind).toBe("connected");
    expect(new Set(net.dialled).size).toBe(3);
  });

  test("UNSUPPORTED_VERSION, with both versions, once every server has said so", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1", "b:1"] }, net.ports);
    const outcome = outcomeOf(connecting);
    await net.clock.settle();
    net.last.goodbye("UNSUPPORTED_VERSION", true);
    await net.clock.settle();
    expect(outcome.state).toBe("pending");
    net.last.goodbye("UNSUPPORTED_VERSION", true);
    expect(await errorOf(connecting)).toMatchObject({
      code: "UNSUPPORTED_VERSION",
      message: expect.stringMatching(/version 9, this client 1$/),
    });
    await net.clock.advance(20_000);
    expect(net.dialled).toHaveLength(2);
    expect(net.clock.timerCount).toBe(0);
  });

  test("WRONG_PORT, with what it said, once every server has said so or speaks otherwise", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1", "b:1"] }, net.ports);
    const outcome = outcomeOf(connecting);
    await net.clock.settle();
    net.last.goodbye("UNSUPPORTED_VERSION", true);
    await net.clock.settle();
    expect(outcome.state).toBe("pending");
    net.last.goodbye("WRONG_PORT", true);
    expect(await errorOf(connecting)).toMatchObject({
      code: "WRONG_PORT",
      message: "WRONG_PORT: so it is",
    });
    expect(net.clock.timerCount).toBe(0);
  });

  test("a server at a wrong port makes way for one that serves, and ends no session", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1", "b:1"] }, net.ports);
    await net.clock.settle();
    net.last.goodbye("WRONG_PORT", true);
    await net.clock.settle();
    net.last.welcome();
    const client = await connecting;
    net.last.cut();
    for (let refusals = 1; refusals <= 5; refusals += 1) {
      await net.clock.advance(1_000);
      net.last.goodbye("WRONG_PORT", true);
    }
    expect(client.state.kind).toBe("suspended");
    await net.clock.advance(1_000);
    net.last.welcome();
    expect(client.state.kind).toBe("connected");
  });

  test("a welcome in another version is not believed, nor one of another history", async () => {
    const { net, client, connection } = await openClient();
    connection.cut();
    await net.clock.settle();
    net.last.welcome({ protocolVersion: 2 });
    expect(client.state.kind).toBe("suspended");
    await net.clock.advance(1_000);
    net.last.welcome({ historyId: "other" });
    expect(client.state.kind).toBe("suspended");
    await net.clock.advance(1_000);
    net.last.welcome();
    expect(client.state.kind).toBe("connected");
  });
});
