import { connect } from "@quorate/client";
import { ServerError, type ServerPorts } from "@quorate/server";
import { describe, expect, it } from "vitest";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { MemoryImageStores } from "../../packages/server/src/memory/memory-image-stores.ts";
import { Servers, until } from "./servers.ts";

interface Machine {
  files: MemoryFiles;
  images: MemoryImageStores;
}

/** Another disk with what stands in `path` of this one. */
async function copyOf(files: MemoryFiles, path: string, to = new MemoryFiles()) {
  const bytes = await files.readWhole(path);
  if (bytes === null) {
    await to.makeDirectory(path);
    for (const name of await files.list(path)) await copyOf(files, `${path}/${name}`, to);
    return to;
  }
  const file = await to.open(path, { create: true, durable: false });
  await file.write(0, bytes);
  await file.close();
  return to;
}

describe("a node whose peers lost what they had acknowledged, and which could not be reached meanwhile", () => {
  it("ends when it hears of their leader, does not start again and keeps what it has", async () => {
    const machines: (Machine & ServerPorts)[] = [];
    let alone: { readonly at: number; readonly port: number } | null = null;
    await using servers = await Servers.start({}, (ports, at) => {
      const files = new MemoryFiles();
      const { transport } = ports;
      const machine = {
        ...ports,
        files,
        images: new MemoryImageStores(files),
        transport: {
          listen: (options) => transport.listen(options),
          dial: async (options) => {
            if (alone !== null && (at === alone.at || options.port === alone.port)) {
              throw new ServerError("CONNECT_FAILED", "cut off");
            }
            return transport.dial(options);
          },
        },
      } satisfies Machine & ServerPorts;
      machines[at] = machine;
      return machine;
    });
    const holder = servers.leader;
    const [older = -1, behind = -1] = [0, 1, 2].filter((at) => at !== holder);
    await servers.agree();
    await servers.stopNode(older);
    const machine = machines[older];
    if (machine === undefined) throw new Error("no machine");
    const copy = await copyOf(machine.files, "/data");
    await servers.startNode(older);
    await servers.ready();
    await servers.stopNode(behind);
    const client = await connect({ servers: servers.clients });
    for (let n = 0; n < 20; n += 1) await client.create(`/acknowledged-${n}`, "");
    await client.close();

    const members = servers.node(holder).status().membership?.members ?? [];
    const peer = members.find(({ name }) => name === `${holder + 1}`)?.peerAddress;
    alone = { at: holder, port: Number(peer?.split(":")[1]) };
    await servers.stopNode(older);
    machine.files = copy;
    machine.images = machine.images.afterCrash(copy);
    await Promise.all([older, behind].map((at) => servers.startNode(at)));
    await until(() => servers.leaderBeside(holder) >= 0);
    const held = servers.node(holder);
    alone = null;
    await expect(held.stopped).resolves.toMatchObject({ code: "LOG_CONFLICT" });
    const disk = machines[holder]?.files;
    const kept = await disk?.list("/data");
    const again = await servers.startNode(holder).catch((error: unknown) => error);
    expect(again).toMatchObject({ code: "LOG_CONFLICT" });
    expect(await disk?.list("/data")).toEqual(kept);
  });
});
