import { connect } from "@quorate/client";
import type { ServerPorts } from "@quorate/server";
import { describe, expect, it } from "vitest";
import { Servers, until } from "./servers.ts";

describe("a disk that does not answer", () => {
  it("keeps neither the others from serving nor its own node from ending", async () => {
    let hung = -1;
    await using servers = await Servers.start({}, (ports, at) =>
      withWrites(ports, () => hung === at),
    );
    await until(() => servers.leader >= 0);
    const victim = (servers.leader + 1) % 3;
    const others = servers.clients.filter((_, at) => at !== victim);
    await using client = await connect({ servers: others });
    hung = victim;
    await client.create("/a", "1");
    await until(() => servers.running.some((node) => node.status().zxid > 0));
    const node = servers.node(victim);
    await node.stop();
    expect(await node.stopped).toMatchObject({ code: "STORAGE_FAILED" });
    await client.set("/a", "2");
  });
});

/** The same ports, but no write returns while the test says so. */
function withWrites(ports: ServerPorts, isHung: () => boolean): ServerPorts {
  const { files } = ports;
  return {
    ...ports,
    files: {
      makeDirectory: (path) => files.makeDirectory(path),
      list: (path) => files.list(path),
      readWhole: (path) => files.readWhole(path),
      open: async (path, options) => {
        const file = await files.open(path, options);
        return {
          size: () => file.size(),
          read: (position, length) => file.read(position, length),
          write: async (position, bytes) => {
            if (isHung()) await new Promise(() => {});
            await file.write(position, bytes);
          },
          sync: () => file.sync(),
          close: () => file.close(),
        };
      },
      rename: (from, to) => files.rename(from, to),
      remove: (path) => files.remove(path),
      syncDirectory: (path) => files.syncDirectory(path),
      space: (path) => files.space(path),
    },
  };
}
