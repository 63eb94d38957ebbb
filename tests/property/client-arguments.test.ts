import fc from "fast-check";
import { expect, test } from "vitest";
import type { MultiOps, QuorateClient } from "../../packages/client/src/api.ts";
import { QuorateError } from "../../packages/client/src/errors.ts";
import { openClient } from "../support/client/open-client.ts";

/** What no caller means, and what callers without types give all the same. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    true,
    "",
    "x",
    [],
    {},
    5n,
    Symbol("s"),
    Object.create(null),
    0,
    -0,
    -1,
    0.5,
    2 ** 53,
  ),
  fc.maxSafeInteger(),
  fc.double(),
);

const mostly = (valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 9, arbitrary: valid }, { weight: 1, arbitrary: odd });

const path = mostly(
  fc.oneof(
    fc.constantFrom("/", "/a", "/a/b", "/é/𝄞", `/${"x".repeat(255)}`),
    fc.string({ unit: "binary", maxLength: 12 }).map((text) => `/${text}`),
  ),
);
const data = mostly(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string({ maxLength: 40 })));
const mode = mostly(
  fc.constantFrom("persistent", "ephemeral", "persistentSequential", "children", "recursive"),
);
const number = mostly(fc.oneof(fc.maxSafeNat(), fc.maxSafeInteger()));
const flag = mostly(fc.boolean());
const options = mostly(
  fc.record(
    {
      mode,
      version: number,
      consistency: mostly(fc.constantFrom("local", "linearizable")),
      withData: flag,
      sinceZxid: number,
      timeoutMs: mostly(fc.nat()),
    },
    { requiredKeys: [] },
  ),
);
const op = mostly(
  fc.record({
    kind: mostly(
      fc.constantFrom("create", "set", "delete", "check", "guard", "acquire", "release"),
    ),
    path,
    data,
    mode,
    version: number,
    token: number,
    wait: flag,
  }),
);

const method = fc.constantFrom(
  // Most of what may be wrong is in there.
  ...(["multi", "multi", "multi", "multi", "multi", "multi"] as const),
  ...(["create", "set", "delete", "get", "exists", "children", "sessions"] as const),
  ...([
    "sync",
    "watch",
    "acquire",
    "tryAcquire",
    "campaign",
    "leader",
    "observe",
    "states",
  ] as const),
);

/** Stands for whatever a caller without types passes. */
const call = fc.record({
  method,
  path: path as fc.Arbitrary<string>,
  data: data as fc.Arbitrary<string>,
  ops: mostly(fc.array(op, { maxLength: 2 })) as fc.Arbitrary<MultiOps<readonly ["check"]>>,
  options: options as fc.Arbitrary<object | undefined>,
});

type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

async function make(client: QuorateClient, { method: name, ...given }: Call): Promise<unknown> {
  const { path: at, data: bytes, ops, options: how } = given;
  switch (name) {
    case "create":
    case "set":
      return client[name](at, bytes, how);
    case "multi":
      return client.multi(ops, how);
    case "sync":
    case "sessions":
      return client[name](how);
    case "acquire":
    case "tryAcquire":
      return client.lock(at)[name]({ ...how, data: bytes });
    case "campaign":
    case "leader":
      return client.election(at)[name](how);
    case "observe":
      return client.election(at).observe(how)[Symbol.asyncIterator]().next();
    case "states":
      return client.states(how)[Symbol.asyncIterator]().next();
    default:
      return client[name](at, how);
  }
}

test("whatever a caller gives, what is sent of it is what the service can read, and what fails is a QuorateError", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 30 }), async (calls) => {
      const { net, client, connection } = await openClient();
      const failures: unknown[] = [];
      for (const one of calls) make(client, one).catch((error: unknown) => failures.push(error));
      // The other side of this connection decodes each frame, and what it cannot read it throws.
      await net.clock.settle();
      expect(client.state.kind).toBe("connected");
      expect(connection.isOpen).toBe(true);
      expect(failures.filter((error) => !(error instanceof QuorateError))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
