#!/usr/bin/env bash
# Runs the SDK's unit tests, and servers, SDK and command line as real processes, with other versions of Node than the
# installed one. They come from the npm package `node`. After `npm run build`:
#   tests/node-versions.sh 22 24 26
set -euo pipefail
cd "$(dirname "$0")/.."

binaries=$(mktemp -d)
trap 'rm -rf "$binaries"' EXIT

for version in "$@"; do
  folder="$binaries/$version"
  mkdir -p "$folder"
  echo '{"private":true}' >"$folder/package.json"
  npm install --prefix "$folder" --no-audit --no-fund --silent "node@$version"
  node="$folder/node_modules/node/bin/node"
  echo "== Node $("$node" --version)"
  # Tests start servers and commands with the Node that runs them.
  "$node" node_modules/vitest/vitest.mjs run --project unit packages/client
  "$node" node_modules/vitest/vitest.mjs run --project ensemble
  "$node" node_modules/vitest/vitest.mjs run --project e2e tests/e2e/cli tests/e2e/restart-all
done
