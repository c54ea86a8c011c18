import { spawn } from 'node:child_process';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launch, open } from './support/browser';
import { start, type Service } from './support/service';
import { manyBackups } from './support/many';

let service: Service;
let browser: Browser;
let id = '';

beforeAll(async () => {
  [service, browser] = await Promise.all([start('--prefixes', '500'), launch()]);
  id = (await service.call<{ backup_id: string }>('POST', '/api/backup?description=The%20only%20one')).backup_id;
});
afterAll(async () => {
  await browser.close();
  await service.stop();
});

/** A test that failed while it held a table must not hold up the next. */
const nothing = () => undefined;
let letGo: () => void = nothing;
afterEach(() => { letGo(); });

/** Holds a table so that a backup has to wait for it; gives what lets go. */
async function hold(): Promise<() => void> {
  const child = spawn('psql', ['-XqAt', service.url()], { stdio: ['pipe', 'pipe', 'inherit'] });
  const held = new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdin.write("BEGIN; LOCK TABLE prefix IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n");
  await held;
  letGo = () => {
    letGo = nothing;
    child.stdin.end('ROLLBACK;\n');
  };
  return letGo;
}

describe('the page', () => {
  it.each([['by events', false], ['by asking, where no events come', true]])('finds a running backup again after the tab was closed, %s', async (_, mute) => {
    const release = await hold();
    const name = `Made without a tab ${String(mute)}`;
    const first = await open(browser, service.base);
    await first.page.goto('/');
    await first.page.getByLabel('Description of the new backup').fill(name);
    await first.page.getByRole('button', { name: 'Back up now' }).click();
    await first.page.getByRole('complementary', { name: 'What is going on' }).getByText('Runs in the background.').waitFor();
    await first.page.context().close();

    const second = await open(browser, service.base);
    if (mute) await second.page.route('**/api/events', (route) => route.abort());
    await second.page.goto('/');
    await second.page.getByRole('complementary', { name: 'What is going on' }).getByText('Backup').waitFor();
    release();
    await second.page.getByRole('button', { name, exact: true }).waitFor();
    await second.page.getByRole('complementary', { name: 'What is going on' }).waitFor({ state: 'detached' });
    await second.page.context().close();
  });

  it('cancels a backup that waits, and nothing is left of it', async () => {
    const release = await hold();
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await page.getByLabel('Description of the new backup').fill('Never made');
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('complementary', { name: 'What is going on' }).waitFor({ state: 'detached' });
    release();
    await page.reload();
    await page.getByRole('button', { name: 'The only one' }).waitFor();
    expect(await page.getByText('Never made').count()).toBe(0);
    await page.context().close();
  });

  it('scrolls through thousands of backups, and holds only what is on show', async () => {
    const { page, complaints } = await open(browser, service.base);
    await manyBackups(page, 3000);
    await page.goto('/');
    await page.getByText('3,000 backups', { exact: true }).waitFor();
    const asked: string[] = [];
    page.on('request', (request) => { if (request.url().endsWith('/changes')) asked.push(request.url()); });
    for (let turn = 0; turn < 30; turn += 1) await page.mouse.wheel(0, 4000);
    await page.evaluate(() => { window.scrollTo(0, document.body.scrollHeight); });
    await page.locator('[data-backup]').last().waitFor();
    expect(await page.locator('[data-backup]').count()).toBeLessThan(80);
    expect(asked.length).toBeLessThan(400);
    await page.getByLabel('Search backups').fill('renumbering');
    await page.getByText(/ of 3,000$/).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('says that a backup is gone where somebody comes by an old link', async () => {
    const { page } = await open(browser, service.base);
    await page.goto('/backups/20200101_000000');
    await page.getByRole('alert').getByText('No such backup').waitFor();
    await page.goto('/restore/20200101_000000');
    await page.getByRole('heading', { name: 'There is no such backup' }).waitFor();
    await page.goto('/no/such/place');
    await page.getByRole('heading', { name: 'There is nothing at this address' }).waitFor();
    await page.context().close();
  });

  it('tells that the service is away, and is right again when it is back', async () => {
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await page.getByRole('button', { name: 'The only one' }).waitFor();
    await page.route('**/api/**', (route) => route.abort());
    await page.reload();
    await page.getByText('The service does not answer.').first().waitFor();
    await page.unroute('**/api/**');
    // The page may find out by itself before the click: then the button is gone.
    const again = page.getByRole('region', { name: 'Protection' }).getByRole('button', { name: 'Try again' });
    await Promise.race([again.click().catch(() => undefined), page.getByRole('button', { name: 'The only one' }).waitFor()]);
    await page.getByRole('button', { name: 'The only one' }).waitFor();
    await page.context().close();
  });

  it('describes its API at /docs, where a call can be tried', async () => {
    const { page, complaints } = await open(browser, service.base);
    await page.goto('/docs/');
    await page.locator('.opblock-summary-path', { hasText: '/api/restore' }).first().waitFor();
    const list = page.locator('#operations-backups-list_backups');
    await list.locator('.opblock-summary-control').click();
    await list.getByRole('button', { name: 'Execute' }).click();
    await list.locator('.live-responses-table .response-col_status').getByText('200').waitFor();
    await list.locator('.live-responses-table').getByText('The only one').first().waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('marks a damaged backup and says what a new one is good for', async () => {
    service.damage();
    const { page } = await open(browser, service.base);
    await page.goto(`/backups/${id}`);
    await page.getByRole('button', { name: 'Verify now' }).click();
    await page.getByRole('region', { name: 'Validation' }).getByText('Damaged.').waitFor();
    await page.getByRole('region', { name: 'Protection' }).getByText(/damaged/).waitFor();
    await page.goto('/?marks=corrupt');
    await page.getByRole('button', { name: 'The only one' }).waitFor();
    await page.context().close();
  });
});
