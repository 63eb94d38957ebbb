// One file out of the sources of all packages, so that the simulator needs no build and can run a changed copy of the tree.
const BARE_PACKAGE = /^(?!@quorate\/)[a-z@]/u;

export default {
  input: "tests/simulation/ensemble/ensemble-main.ts",
  platform: "node",
  external: (id, importer) => importer !== undefined && BARE_PACKAGE.test(id),
  resolve: { conditionNames: ["@quorate/source", "import", "node", "default"] },
  output: { file: ".cache/simulation/ensemble.mjs", format: "esm", sourcemap: true },
};
