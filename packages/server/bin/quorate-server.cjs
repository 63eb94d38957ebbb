#!/usr/bin/env node
const { existsSync } = require("node:fs");
const { join, resolve } = require("node:path");

// The thread pool's size is read once, before the first use: the loader of ES modules uses it already. Slow disk writes
// must not keep name look-ups and compression waiting, so it is larger than the default of 4.
process.env.UV_THREADPOOL_SIZE ??= "16";
if (existsSync(join(__dirname, "../dist/main.js"))) {
  void import("../dist/main.js");
} else {
  const clone = resolve(__dirname, "../../..");
  const install = existsSync(join(clone, "node_modules")) ? "" : "npm ci && ";
  process.stderr.write(
    `quorate-server: this clone is not built yet: run \`${install}npm run build\` in ${clone}\n`,
  );
  process.exitCode = 1;
}
