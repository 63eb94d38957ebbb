#!/usr/bin/env node
const { existsSync } = require("node:fs");
const { join, resolve } = require("node:path");

// The thread pool's size is read once, before the first use: the loader of ES modules uses it already. `quorate server`
// runs a node in this process, whose slow disk writes must not keep name look-ups and compression waiting.
process.env.UV_THREADPOOL_SIZE ??= "16";
if (existsSync(join(__dirname, "../dist/main.js"))) {
  void import("../dist/main.js");
} else {
  const clone = resolve(__dirname, "../../..");
  const install = existsSync(join(clone, "node_modules")) ? "" : "npm ci && ";
  process.stderr.write(
    `quorate: this clone is not built yet: run \`${install}npm run build\` in ${clone}\n`,
  );
  process.exitCode = 1;
}
