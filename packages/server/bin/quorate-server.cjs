#!/usr/bin/env node
// The thread pool's size is read once, before the first use: the loader of ES modules uses it already. Slow disk writes
// must not keep name look-ups and compression waiting, so it is larger than the default of 4.
process.env.UV_THREADPOOL_SIZE ??= "16";
void import("../dist/main.js");
