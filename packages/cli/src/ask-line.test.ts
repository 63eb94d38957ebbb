import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { askLine } from "./ask-line.ts";
import { EXIT_CODES } from "./exit-code.ts";

/** What comes of a question when `keys` are typed, and what the terminal showed. */
async function typed(keys: string): Promise<{ readonly answer: string; readonly shown: string }> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const asked = askLine("name? ", "try again", { input, output, terminal: true });
  input.write(keys);
  const answer = await asked;
  return { answer, shown: String(output.read()) };
}

test("the line that is typed is the answer", async () => {
  expect(await typed("one\r")).toMatchObject({
    answer: "one",
    shown: expect.stringMatching("name\\? "),
  });
});

test("Ctrl-C ends the command as an interrupted one, whatever was typed before", async () => {
  for (const before of ["", "yes"]) {
    await expect(typed(`${before}\u0003`)).rejects.toMatchObject({
      code: "ABORTED",
      exitCode: EXIT_CODES.interrupted,
    });
  }
});

test("nothing of a question listens to the terminal any more once it is answered", async () => {
  for (const keys of ["one\r", "\u0003", "\u0004"]) {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const before = input.listenerCount("end");
    const asked = askLine("name? ", "try again", { input, output, terminal: true });
    input.write(keys);
    await asked.catch(() => "");
    expect(input.listenerCount("keypress")).toBe(0);
    expect(input.listenerCount("end")).toBe(before);
    expect(output.listenerCount("resize")).toBe(0);
  }
});

test("the end of the input is an empty answer", async () => {
  expect(await typed("\u0004")).toMatchObject({ answer: "", shown: expect.stringMatching(/\n$/) });
});
