import { defineConfig } from "vitest/config";

const conditions = ["@quorate/source"];

/**
 * One project per kind of test; sources are read directly, so only e2e needs `dist/`. The files that one worker runs share
 * their modules, which are loaded once: no module keeps state that a test could leave behind.
 */
const project = (name: string, include: string[], testTimeout: number) => ({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { name, include, testTimeout, hookTimeout: testTimeout, isolate: false },
});

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: "forks",
    maxWorkers: 2,
    projects: [
      project("unit", ["packages/*/src/**/*.test.ts"], 20_000),
      project("bench", ["bench/**/*.test.ts"], 60_000),
      project("tidy", ["tests/tidy/**/*.test.ts"], 30_000),
      project("interaction", ["tests/interaction/**/*.test.ts"], 30_000),
      project("property", ["tests/property/**/*.test.ts"], 120_000),
      project("conformance", ["tests/conformance/**/*.test.ts"], 60_000),
      project("wire", ["tests/wire/**/*.test.ts"], 30_000),
      project("sim", ["tests/simulation/**/*.test.ts"], 180_000),
      project("specification", ["tests/specification/**/*.test.ts"], 30_000),
      project("linearizability", ["tests/linearizability/**/*.test.ts"], 60_000),
      project("ensemble", ["tests/ensemble/**/*.test.ts"], 60_000),
      project("e2e", ["tests/e2e/**/*.test.ts"], 180_000),
    ],
  },
});
