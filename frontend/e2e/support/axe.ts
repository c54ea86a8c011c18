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

/** What fades in has not its own colours yet; what turns for ever, as a wheel does, is not waited for. */
const settled = (page: Page): Promise<unknown> => page.waitForFunction(
  () => document.getAnimations().every((animation) => animation.effect?.getComputedTiming().endTime === Infinity),
);

export async function barriers(page: Page): Promise<string[]> {
  await settled(page);
  await page.evaluate(source);
  const found = await page.evaluate(() => (window as unknown as WithAxe).axe.run(document, { resultTypes: ['violations'] }));
  const serious = found.violations.filter((violation) => SERIOUS.includes(violation.impact ?? ''));
  return serious.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.target.join(' ')).join(', ')}`);
}
