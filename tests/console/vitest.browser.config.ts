import { defineConfig } from "vitest/config";

// One file after the other: each has programs and a browser of its own. The times are for machines that are busy.
export default defineConfig({
  test: {
    include: ["browser/**/*.test.ts"],
    environment: "node",
    reporters: ["verbose"],
    fileParallelism: false,
    pool: "forks",
    testTimeout: 90_000,
    hookTimeout: 120_000,
    bail: 0,
  },
});
