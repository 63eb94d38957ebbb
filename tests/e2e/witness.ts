import type { QuorateClient, Watch } from "@quorate/client";
import { expect } from "vitest";

/** An ephemeral, and a watch that must tell every one of `count` values, in order. */
export class Witness {
  readonly #client: QuorateClient;
  readonly #values: Promise<readonly string[]>;
  readonly #count: number;
  #written = 0;

  private constructor(client: QuorateClient, watch: Watch, count: number) {
    this.#client = client;
    this.#count = count;
    this.#values = this.#read(watch);
  }

  static async on(client: QuorateClient, count: number): Promise<Witness> {
    await client.create("/watched", "");
    await client.create("/ephemeral", "", { mode: "ephemeral" });
    return new Witness(client, await client.watch("/watched", { withData: true }), count);
  }

  async write(): Promise<void> {
    this.#written += 1;
    await this.#client.set("/watched", String(this.#written), { timeoutMs: 20_000 });
  }

  /** Everything was told, nothing twice, and the ephemeral is there. */
  async check(reader: QuorateClient): Promise<void> {
    while (this.#written < this.#count) await this.write();
    expect(await this.#values).toEqual(Array.from({ length: this.#count }, (_, at) => `${at + 1}`));
    expect((await reader.exists("/ephemeral"))?.ephemeralOwner).toBe(this.#client.session);
  }

  async #read(watch: Watch): Promise<readonly string[]> {
    const values: string[] = [];
    for await (const notice of watch) {
      if (notice.type === "lost") return [...values, "lost"];
      values.push(new TextDecoder().decode(notice.data));
      if (values.length === this.#count) break;
    }
    return values;
  }
}
