/** Serious barriers for people who use a keyboard or a screen reader. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Page } from 'playwright-core';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SERIOUS = ['serious', 'critical'];

interface WithAxe {
  axe: { run: (context: Document, options: RunOptions) => Promise<AxeResults> };
}

export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(source);
  const found = await page.evaluate(() => (window as unknown as WithAxe).axe.run(document, { resultTypes: ['violations'] }));
  const serious = found.violations.filter((violation) => SERIOUS.includes(violation.impact ?? ''));
  return serious.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.target.join(' ')).join(', ')}`);
}
