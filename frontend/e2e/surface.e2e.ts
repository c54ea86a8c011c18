/** What stands in the way of people: focus, what is covered or cut, phones, zoom, words that differ. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers } from './support/axe';
import { launch, open } from './support/browser';
import { hold } from './support/rival';
import { start, type Service } from './support/service';
import { makeMess } from './support/site';

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
let browser: Browser;
let service: Service;
let id = '';

beforeAll(async () => {
  [service, browser] = await Promise.all([start('--prefixes', '500', '--schedule', '0 * * * *'), launch()]);
  id = (await service.call<{ backup_id: string }>('POST', '/api/backup?description=Named')).backup_id;
  await service.call('POST', '/api/backup');
  makeMess(service);
  await service.call('POST', `/api/restore/${id}`);
});
afterAll(async () => {
  await browser.close();
  await service.stop();
});

const panel = (page: Page) => page.getByRole('complementary', { name: `Backup ${id}` });
const inView = async (page: Page, name: string) => {
  const box = await page.getByRole('button', { name, exact: true }).boundingBox();
  const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
  return box !== null && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
};

describe('by keyboard', () => {
  it('Enter on a backup leads into its details, and Escape back to its line', async () => {
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await page.getByRole('button', { name: 'Named', exact: true }).focus();
    await page.keyboard.press('Enter');
    await panel(page).getByRole('heading', { name: 'Named' }).waitFor();
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(`Backup ${id}`);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Close the details');
    await page.keyboard.press('Escape');
    await page.locator(`[data-backup="${id}"]:focus`).waitFor();
    // Walking through the list, the focus stays in it.
    await page.keyboard.press('Enter');
    await panel(page).waitFor();
    await page.keyboard.press('ArrowUp');
    await page.locator('[data-backup]:focus').waitFor();
    await page.context().close();
  });
});

describe('on a narrow screen', () => {
  it('details lie beside the list, not over all of it', async () => {
    const { page } = await open(browser, service.base, { viewport: { width: 1000, height: 760 } });
    await page.goto(`/backups/${id}`);
    const box = await panel(page).boundingBox();
    expect(box?.x).toBeGreaterThan(400);
    await page.getByRole('link', { name: 'Activity' }).click();
    await page.waitForURL('**/activity');
    await page.context().close();
  });

  it('the menu of the timeline is whole', async () => {
    for (const width of [390, 720, 1000, 1440]) {
      const { page } = await open(browser, service.base, { viewport: { width, height: 900 } });
      await page.goto('/');
      await page.getByRole('button', { name: 'More to do with the backups' }).click();
      for (const name of ['Verify all backups', 'Clean up …', 'Import an archive …']) {
        const box = await page.getByRole('menuitem', { name }).boundingBox();
        expect((box?.x ?? -1) >= 0 && (box?.x ?? 0) + (box?.width ?? 0) <= width, `${name} at ${width}`).toBe(true);
      }
      await page.context().close();
    }
  });

  it('a phone restores and compares', async () => {
    const { page, complaints } = await open(browser, service.base, PHONE);
    await page.goto('/');
    await page.getByRole('checkbox', { name: `Compare: pick ${id}` }).check();
    await page.getByRole('link', { name: 'Compare with live' }).click();
    await page.getByText('Nothing differs', { exact: true }).first().waitFor();
    await page.goto('/');
    await page.getByRole('link', { name: `Restore ${id}` }).click();
    await page.getByText('Nothing would change').waitFor();
    await page.getByRole('button', { name: 'Restore now' }).scrollIntoViewIfNeeded();
    expect(await inView(page, 'Restore now')).toBe(true);
    expect(await barriers(page)).toEqual([]);
    await page.goto(`/backups/${id}`);
    const box = await panel(page).boundingBox();
    expect(box?.y, 'something of the list is left').toBeGreaterThan(60);
    expect(await barriers(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('zoomed to 200 %, the confirmation covers nothing of what it confirms', async () => {
    service.sql("UPDATE vrf SET description = 'zoomed' WHERE vrf_id = 'prod-vrf'");
    const { page } = await open(browser, service.base, { viewport: { width: 720, height: 450 } });
    await page.goto(`/restore/${id}`);
    const sentence = page.getByText(/sets 1 row to what/);
    await sentence.scrollIntoViewIfNeeded();
    const [words, form] = [await sentence.boundingBox(), await page.locator('form.confirm').boundingBox()];
    expect((form?.y ?? 0) > (words?.y ?? 0) + (words?.height ?? 0)).toBe(true);
    expect(await page.locator('form.confirm').evaluate((one) => getComputedStyle(one).position)).toBe('static');
    expect(await page.getByRole('textbox', { name: /type its id/ }).getAttribute('placeholder')).toBeNull();
    await service.call('POST', `/api/restore/${id}`);
    await page.context().close();
  });
});

describe('one word for each thing', () => {
  it('all times are in one zone, those in names, too', async () => {
    const { page } = await open(browser, service.base, { timezoneId: 'Asia/Tokyo' });
    await page.goto('/');
    await page.getByRole('button', { name: 'Named', exact: true }).waitFor();
    const { backups } = await service.call<{ backups: { backup_id: string; created_at: string; description: string }[] }>('GET', '/api/backups');
    const unnamed = backups.find((one) => one.description.startsWith('Backup created on '));
    const utc = unnamed?.description.slice(-8) ?? '';
    const hour = String((Number(utc.slice(0, 2)) + 9) % 24).padStart(2, '0');
    await page.getByRole('button', { name: new RegExp(`^Backup created on .*, ${hour}${utc.slice(2)}$`) }).waitFor();
    const text = await page.locator('main').innerText();
    expect(text).not.toContain(utc);
    expect(text).not.toContain('UTC');
    await page.getByRole('button', { name: /Time zone/ }).click();
    await page.getByRole('button', { name: new RegExp(`, ${utc}$`) }).waitFor();
    await page.context().close();
  });

  it('whoever calls has one name', async () => {
    const { page } = await open(browser, service.base);
    await page.goto('/activity');
    await page.getByRole('region', { name: 'Audit', exact: true }).getByText('system').first().waitFor();
    expect(await page.getByText('local', { exact: true }).count()).toBe(0);
    expect(await page.getByText('by local').count()).toBe(0);
    await page.goto('/');
    await page.getByRole('region', { name: 'Last restore' }).getByText(/by system/).waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await barriers(page)).toEqual([]);
    await page.context().close();
  });

  it('activity names backups, links to them, and leaves out what was only looked at', async () => {
    await service.call('POST', `/api/preview/${id}`);
    await fetch(`${service.base}/api/backup/${id}/files/vrfs`).then((answer) => answer.arrayBuffer());
    const { page } = await open(browser, service.base);
    await page.goto('/activity');
    const jobs = page.getByRole('region', { name: 'Jobs' });
    await jobs.getByRole('listitem').filter({ hasText: 'Restore' }).getByRole('link', { name: 'Named' }).first().waitFor();
    await jobs.getByRole('listitem').filter({ hasText: 'Backup' }).getByRole('link', { name: 'Named' }).first().waitFor();
    const audit = page.getByRole('region', { name: 'Audit', exact: true });
    await audit.getByRole('link', { name: 'Named' }).first().waitFor();
    expect(await page.getByText('Preview of a restore').count()).toBe(0);
    expect(await audit.getByText(/GET \/api|\/api\/preview/).count()).toBe(0);
    expect(await barriers(page)).toEqual([]);
    await page.context().close();
  });

  it('a job that was cancelled is no failure', async () => {
    const release = await hold(service);
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await page.getByLabel('Description of the new backup').fill('Never made');
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('complementary', { name: 'What is going on' }).waitFor({ state: 'detached' });
    release();
    expect(await page.locator('.el-message--error').count()).toBe(0);
    await page.goto('/activity');
    const line = page.getByRole('region', { name: 'Jobs' }).getByRole('listitem').filter({ hasText: 'cancelled' }).first();
    await line.waitFor();
    expect(await line.locator('.problem').count()).toBe(0);
    const tone = (name: string) => page.evaluate((variable) => getComputedStyle(document.documentElement).getPropertyValue(variable).trim(), name);
    const red = await tone('--bad');
    const shown = await line.locator('.state').evaluate((one) => getComputedStyle(one).color);
    expect(shown).not.toBe(`rgb(${[1, 3, 5].map((at) => parseInt(red.slice(at, at + 2), 16)).join(', ')})`);
    await page.context().close();
  });
});
