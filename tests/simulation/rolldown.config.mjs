// One file out of the sources of all packages, so that the simulator needs no build and can run a changed copy of the tree.
const BARE_PACKAGE = /^(?!@quorate\/)[a-z@]/u;

const bundle = (input, name) => ({
  input,
  platform: "node",
  external: (id, importer) => importer !== undefined && BARE_PACKAGE.test(id),
  resolve: { conditionNames: ["@quorate/source", "import", "node", "default"] },
  output: { file: `.cache/simulation/${name}.mjs`, format: "esm", sourcemap: true },
});

export default [
  bundle("tests/simulation/raft-core/raft-core-main.ts", "raft-core"),
  bundle("tests/simulation/ensemble/ensemble-main.ts", "ensemble"),
  bundle("tests/simulation/mutants/mutants-main.ts", "mutants"),
];
