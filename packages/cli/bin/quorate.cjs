#!/usr/bin/env node
// The thread pool's size is read once, before the first use: the loader of ES modules uses it already. `quorate server`
// runs a node in this process, whose slow disk writes must not keep name look-ups and compression waiting.
process.env.UV_THREADPOOL_SIZE ??= "16";
void import("../dist/main.js");
