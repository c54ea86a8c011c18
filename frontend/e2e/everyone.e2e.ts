import type { Browser, Page } from 'playwright-core';
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers } from './support/axe';
import { launch, open } from './support/browser';
import { manyBackups } from './support/many';
import { start, type Service } from './support/service';
import { makeMess } from './support/site';

/** Kept only where asked: `SCREENSHOTS=1 npm run e2e` renews those that are committed. */
const KEEP = process.env.SCREENSHOTS === '1';
const FOLDER = new URL('../../docs/screenshots/', import.meta.url).pathname;
const KEPT = ['timeline-light', 'timeline-dark', 'timeline-phone', 'details-light', 'restore-light', 'compare-dark', 'cleanup-light', 'history-light', 'statistics-light'];
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

let service: Service;
let browser: Browser;
let id = '';

beforeAll(async () => {
  [service, browser] = await Promise.all([start('--prefixes', '4000', '--schedule', '0 * * * *'), launch()]);
  id = (await service.call<{ backup_id: string }>('POST', '/api/backup?description=Before%20the%20big%20import')).backup_id;
  await service.call('POST', '/api/verify', { backups: [id] });
  makeMess(service);
  await service.call('POST', '/api/backup?description=After%20the%20import');
  if (KEEP) mkdirSync(FOLDER, { recursive: true });
});
afterAll(async () => {
  await browser.close();
  await service.stop();
});

async function keep(page: Page, name: string): Promise<void> {
  if (!KEEP || !KEPT.includes(name)) return;
  // What comes lazily, and what moves.
  await page.waitForTimeout(1500);
  await page.screenshot({ path: `${FOLDER}${name}.png` });
}

interface Place {
  name: string;
  path: () => string;
  ready: (page: Page) => Promise<unknown>;
}

const PLACES: Place[] = [
  { name: 'timeline', path: () => '/', ready: (page) => page.getByText('1,200 backups', { exact: true }).waitFor() },
  { name: 'details', path: () => `/backups/${id}`, ready: (page) => page.getByText('Verified: no damage').waitFor() },
  { name: 'restore', path: () => `/restore/${id}`, ready: (page) => page.getByText(/This brings back/).waitFor() },
  { name: 'compare', path: () => `/compare/${id}/live`, ready: openTree },
  { name: 'cleanup', path: () => '/cleanup', ready: (page) => page.getByText(/would go/).first().waitFor() },
  { name: 'history', path: () => '/history?table=prefix&key=manual-prod-vrf-copy-10-1-0-0-16', ready: (page) => page.getByText('Created', { exact: true }).first().waitFor() },
  { name: 'statistics', path: () => '/statistics', ready: (page) => page.getByText('Deduplication').waitFor() },
  { name: 'activity', path: () => '/activity', ready: (page) => page.getByText('Who did what').waitFor() },
];

async function openTree(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Prefix tree' }).click();
  await page.getByRole('region', { name: /network within network/ }).waitFor();
  const changed = page.getByRole('button', { name: /^changed / }).first();
  if (await changed.isVisible()) await changed.click();
}

async function visit(page: Page, place: Place): Promise<void> {
  if (place.name === 'timeline') await manyBackups(page, 1200);
  await page.goto(place.path());
  await place.ready(page);
  await page.evaluate(() => document.fonts.ready);
}

describe.each(['light', 'dark'] as const)('in %s colours', (colorScheme) => {
  it.each(PLACES)('$name has no serious barrier, and breaks no rule of the service', async (place) => {
    const { page, complaints } = await open(browser, service.base, { colorScheme });
    await visit(page, place);
    expect(await barriers(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await keep(page, `${place.name}-${colorScheme}`);
    await page.context().close();
  });
});

describe('on a small screen', () => {
  it.each(PLACES)('$name fits, and has no serious barrier', async (place) => {
    const { page } = await open(browser, service.base, PHONE);
    await visit(page, place);
    // Not the window's width: a phone zooms out until everything is in it.
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.viewport.width);
    expect(await barriers(page)).toEqual([]);
    await keep(page, `${place.name}-phone`);
    await page.context().close();
  });
});

describe('by keyboard alone', () => {
  it('one gets from the timeline to a typed confirmation, and back', async () => {
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await page.getByRole('button', { name: 'After the import' }).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.locator(`[data-backup="${id}"]:focus`).waitFor();
    await page.keyboard.press('r');
    await page.getByText(/This brings back/).waitFor();
    await page.getByRole('textbox', { name: /type its id/ }).focus();
    await page.keyboard.type(id);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain('Restore now');
    await page.goBack();
    await page.getByRole('button', { name: 'After the import' }).waitFor();
    await page.context().close();
  });

  it('one skips to the content, and sees where one is', async () => {
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await page.keyboard.press('Tab');
    await page.getByRole('link', { name: 'Skip to the content' }).press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
    await page.context().close();
  });
});
