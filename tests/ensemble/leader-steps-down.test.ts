import { connect, type QuorateClient } from "@quorate/client";
import type { ServerPorts } from "@quorate/server";
import { describe, expect, it } from "vitest";
import type { Connection } from "../../packages/server/src/ports.ts";
import { HangingDisk } from "./hanging-disk.ts";
import { Servers, until } from "./servers.ts";

/** Begins a fault on whoever leads; the others elect somebody, write, and the former leader comes back. */
async function losesTheLead(
  servers: Servers,
  fault: { begin(leader: number): void; end(): void },
): Promise<void> {
  const { former, client: opened } = await leaderWithClientElsewhere(servers);
  await using client = opened;
  fault.begin(former);
  await client.set("/a", "2");
  await until(() => servers.leaderBeside(former) >= 0);
  await client.set("/a", "3");
  await until(() => !isLeader(servers.node(former)));
  fault.end();
  await servers.ready();
  await servers.agree();
  await using reader = await connect({ servers: [servers.clients[former] ?? ""] });
  expect(new TextDecoder().decode((await reader.get("/a")).data)).toBe("3");
}

/** On a busy machine the lead may change while a client connects: whoever leads now, and a client of the others. */
async function leaderWithClientElsewhere(
  servers: Servers,
): Promise<{ readonly former: number; readonly client: QuorateClient }> {
  for (;;) {
    const former = await leaderOf(servers);
    const others = servers.clients.filter((_, at) => at !== former);
    const client = await connect({ servers: others });
    if ((await client.exists("/a")) === null) await client.create("/a", "1");
    if (servers.leader === former) return { former, client };
    await client.close();
  }
}

const isLeader = (node: { status(): { readonly role: string } }): boolean =>
  node.status().role === "leader";

async function leaderOf(servers: Servers): Promise<number> {
  await until(() => servers.leader >= 0);
  return servers.leader;
}

describe("a leader steps down, and follows whoever leads next", () => {
  it("when its disk does not answer", async () => {
    const disk = new HangingDisk();
    await using servers = await Servers.start({}, disk.adapt);
    await losesTheLead(servers, {
      begin: (leader) => disk.hang(leader),
      end: () => disk.goOn(),
    });
  });

  it("when nothing that it says arrives, although it hears the others", async () => {
    let mute = -1;
    await using servers = await Servers.start({}, (ports, at) =>
      withMutableSpeech(ports, () => mute === at),
    );
    await losesTheLead(servers, {
      begin: (leader) => void (mute = leader),
      end: () => void (mute = -1),
    });
  });

  it("when it hears nothing, although the others hear it", async () => {
    let deaf = -1;
    await using servers = await Servers.start({}, (ports, at) =>
      withMutableSpeech(ports, () => deaf !== -1 && deaf !== at),
    );
    const former = await leaderOf(servers);
    await until(() => servers.running.every((node) => node.status().connectedPeers.length === 2));
    deaf = former;
    await until(() => !isLeader(servers.node(former)));
    deaf = -1;
    await servers.ready();
  });
});

/** The same ports, but what this node says on the links it dialled is lost while the test says so. */
function withMutableSpeech(ports: ServerPorts, isMute: () => boolean): ServerPorts {
  const { transport } = ports;
  return {
    ...ports,
    transport: {
      listen: (options) => transport.listen(options),
      dial: async (options) => speaker(await transport.dial(options), isMute),
    },
  };
}

function speaker(connection: Connection, isMute: () => boolean): Connection {
  return {
    remote: connection.remote,
    get bufferedBytes() {
      return connection.bufferedBytes;
    },
    setHandlers: (handlers) => connection.setHandlers(handlers),
    send: (frame) => {
      if (!isMute()) connection.send(frame);
    },
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    close: () => connection.close(),
    destroy: () => connection.destroy(),
  };
}
