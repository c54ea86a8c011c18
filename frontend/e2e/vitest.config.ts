import { defineConfig } from 'vitest/config';

/** The built page in a real browser, before the real service with its PostgreSQL. */
export default defineConfig({
  test: {
    include: ['e2e/**/*.e2e.ts'],
    environment: 'node',
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // A busy machine takes seconds for a restore.
    expect: { poll: { timeout: 60_000 } },
    // One browser after the other: the machine may have two cores.
    fileParallelism: false,
  },
});
