import { expect, test } from "vitest";
import { Inflow } from "./inflow.ts";

function setUp(bytes: readonly number[]) {
  const inflow = new Inflow(1_000);
  const gone: number[] = [];
  const senders = bytes.map((_, at) => ({ letGo: () => void gone.push(at) }));
  for (const [at, sender] of senders.entries()) inflow.set(sender, bytes[at] ?? 0);
  return { inflow, gone, senders };
}

test("up to the bound all may send", () => {
  const { inflow, gone, senders } = setUp([100, 900, 0]);
  inflow.set(senders[1]!, 400);
  inflow.set(senders[2]!, 500);
  expect(gone).toEqual([]);
});

test("beyond it those go who hold most, until an eighth of it is free", () => {
  expect(setUp([300, 20, 100, 310, 271]).gone).toEqual([3]);
  // Without the first 995 are left, without the second 870.
  expect(setUp([125, 125, 125, 125, 125, 125, 125, 120, 125]).gone).toEqual([0, 1]);
});

test("who completed a message or is gone holds nothing", () => {
  const { inflow, gone, senders } = setUp([600, 300, 0]);
  inflow.set(senders[0]!, 0);
  inflow.forget(senders[1]!);
  inflow.set(senders[2]!, 1_000);
  expect(gone).toEqual([]);
  inflow.set(senders[1]!, 1);
  expect(gone).toEqual([2]);
});
