#!/usr/bin/env node
import { runCli } from "./run-cli.ts";
import { systemContext } from "./system-context.ts";

process.exitCode = await runCli(process.argv.slice(2), systemContext());
