import type { Browser, Page } from 'playwright-core';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launch, open, type Watched } from './support/browser';
import { start, type Service } from './support/service';
import { fingerprint, makeMess } from './support/site';

let service: Service;
let browser: Browser;
let watched: Watched;
let page: Page;

beforeAll(async () => {
  [service, browser] = await Promise.all([start('--prefixes', '2000'), launch()]);
  watched = await open(browser, service.base, { acceptDownloads: true });
  ({ page } = watched);
  page.setDefaultTimeout(20_000);
});
afterAll(async () => {
  await browser.close();
  await service.stop();
});

const truth = () => page.getByRole('region', { name: 'Protection' });
const lines = () => page.getByRole('list', { name: 'Backups, newest first' }).getByRole('article');

async function backUp(description: string): Promise<string> {
  await page.goto('/');
  await page.getByLabel('Description of the new backup').fill(description);
  await page.getByRole('button', { name: 'Back up now' }).click();
  await lines().filter({ hasText: description }).waitFor();
  const { backups } = await service.call<{ backups: { backup_id: string; description: string }[] }>('GET', '/api/backups');
  const made = backups.find((backup) => backup.description === description);
  if (!made) throw new Error(`no backup is called ${description}`);
  return made.backup_id;
}

describe('a day with the plan', () => {
  let before = '';
  let asItWas = '';

  it('begins with the truth: not protected, and the button that mends it', async () => {
    await page.goto('/');
    await truth().getByText('Not protected. There is no backup yet.').waitFor();
    await page.getByRole('heading', { name: 'No backup yet', exact: true }).waitFor();
    expect(await page.title()).toContain('Backup & Restore');
  });

  it('is protected with one button, under a name of its own', async () => {
    asItWas = fingerprint(service);
    before = await backUp('Before the big import');
    await truth().getByText(/Protected\. Last backup/).waitFor();
    expect(await lines().count()).toBe(1);
  });

  it('verifies the newest backup at a click on what is missing', async () => {
    await truth().getByRole('button', { name: 'Verify it now' }).click();
    await truth().getByText(', verified').waitFor();
    await lines().first().getByText('Verified').waitFor();
  });

  it('sees in the preview exactly what a restore would change, rows and cells', async () => {
    makeMess(service);
    await lines().first().getByRole('link', { name: /Restore/ }).click();
    await page.getByText(/This brings back 60 rows, sets 120 rows to what they were, and removes 41 rows/).waitFor();
    await page.getByRole('button', { name: 'VRFs', exact: true }).click();
    await page.getByRole('button', { name: /removed vrf prod-vrf-copy/ }).click();
    await page.getByRole('cell', { name: 'import of export (2) FINAL.xlsx' }).waitFor();
  });

  it('restores only once the id is typed, and shows each phase to the proof', async () => {
    const button = page.getByRole('button', { name: 'Restore now' });
    expect(await button.isDisabled()).toBe(true);
    await page.getByRole('textbox', { name: /type its id/ }).fill(before);
    await button.click();
    await page.getByRole('heading', { name: 'Restored and proven.' }).waitFor();
    expect(await page.getByRole('region', { name: 'Progress of the restore' }).getByRole('listitem').count()).toBe(7);
    expect(fingerprint(service)).toBe(asItWas);
  });

  it('undoes the restore: the mess is back, to the byte', async () => {
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await page.getByRole('button', { name: 'Undo the restore' }).click();
    // The words of the restore before may still be on show: only the database tells the two apart.
    await expect.poll(() => service.sql("SELECT count(*) FROM prefix WHERE vrf_id = 'prod-vrf-copy'")).toBe('40');
    await page.getByRole('heading', { name: 'Restored and proven.' }).waitFor();
  });

  it('offers the Undo on the timeline, too, to whoever comes later', async () => {
    await page.goto('/');
    const bar = page.getByRole('region', { name: 'Last restore' });
    await bar.getByText(/Put back to .* rows of VRFs and Prefixes/).waitFor();
    await bar.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Undo the restore' }).click();
    await page.getByRole('heading', { name: 'Restored and proven.' }).waitFor();
    expect(fingerprint(service)).toBe(asItWas);
  });

  it('compares with live: counts, rows, cells, a tree, and files of it', async () => {
    makeMess(service);
    await page.goto(`/compare/${before}/live`);
    await page.getByText('221 rows differ').waitFor();
    await page.getByRole('button', { name: 'Prefix tree' }).click();
    await page.getByLabel('Search the changed rows').fill('prod-vrf-copy');
    await page.getByText('prod-vrf-copy', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'added 10.1.0.0/16' }).click();
    await page.getByRole('cell', { name: 'manual-prod-vrf-copy-10-1-0-0-16' }).first().waitFor();
    for (const [name, first] of [['Export CSV', 'dataset,'], ['Export JSON', '{']] as const) {
      const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
      const text = readFileSync(await file.path(), 'utf8');
      expect(text.startsWith(first) || text.startsWith('[')).toBe(true);
      expect(text).toContain('manual-prod-vrf-copy-10-40-0-0-16');
    }
  });

  it('follows one row through all backups', async () => {
    await backUp('With the mess in it');
    await page.goto('/history');
    await page.getByLabel('Key of the row').fill('manual-prod-vrf-copy-10-1-0-0-16');
    await page.getByRole('button', { name: 'Show its history' }).click();
    await page.getByRole('heading', { name: 'Created' }).first().waitFor();
    await page.getByLabel('Key of the row').fill('no-such-prefix');
    await page.getByRole('button', { name: 'Show its history' }).click();
    await page.getByRole('heading', { name: 'No backup has this row' }).waitFor();
  });

  it('finds what it looks for on the timeline, by words, marks and days, and by keys', async () => {
    await page.goto('/');
    await lines().first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('big import');
    // The backup, and the safety backups that are called after it.
    await page.getByText(/^[2-9] of \d+$/).waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByRole('button', { name: 'Restore-tested' }).click();
    await page.getByText(/^\d of \d+$/).waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByRole('group', { name: /Days with backups/ }).getByRole('button', { name: /: \d+ backups/ }).last().click();
    await page.waitForURL(/day=/);
    await page.keyboard.press('ArrowDown');
    await page.locator('[data-backup]:focus').waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/backups\/\d{8}_\d{6}/);
    await page.keyboard.press('Escape');
    await page.waitForURL((url) => url.pathname === '/');
  });

  it('shows what each backup changed against the one before', async () => {
    service.sql("INSERT INTO vrf (vrf_id) VALUES ('one-more')");
    await backUp('With one VRF more');
    await lines().filter({ hasText: 'Before the big import' }).getByText('the first one').waitFor();
    await lines().filter({ hasText: 'With one VRF more' }).getByText('+1 added').waitFor();
  });

  it('shows the details, verifies, pins, names and labels a backup', async () => {
    await page.goto(`/backups/${before}`);
    const panel = page.getByRole('complementary', { name: `Backup ${before}` });
    await panel.getByRole('button', { name: 'Verify now' }).click();
    await panel.getByText('Verified: no damage').waitFor();
    await panel.getByRole('button', { name: 'Pin' }).click();
    await panel.getByText('Pinned').waitFor();
    await panel.getByLabel('New label, name: value').fill('change: CHG-20931');
    await panel.getByRole('button', { name: 'Add the label' }).click();
    await panel.getByRole('button', { name: 'Remove label change' }).waitFor();
    await panel.getByRole('button', { name: 'Change the description' }).click();
    await panel.getByLabel('Description').fill('Before the big import, kept');
    await panel.getByRole('button', { name: 'Keep' }).click();
    await panel.getByRole('heading', { name: 'Before the big import, kept' }).waitFor();
    const [file] = await Promise.all([page.waitForEvent('download'), panel.getByRole('button', { name: `Download vrfs_export_${before}.json` }).click()]);
    const rows = JSON.parse(readFileSync(await file.path(), 'utf8')) as { vrfs: unknown[] };
    expect(rows.vrfs.length).toBeGreaterThan(0);
    await panel.getByText('The same on the command line').click();
    await panel.getByText(`ipam-rewind restore ${before}`).waitFor();
  });

  it('takes a backup out as an archive, and in again', async () => {
    const panel = page.getByRole('complementary', { name: `Backup ${before}` });
    const [archive] = await Promise.all([page.waitForEvent('download'), panel.getByRole('button', { name: 'Archive' }).click()]);
    await page.goto('/');
    const many = await lines().count();
    await page.getByRole('button', { name: 'More to do with the backups' }).click();
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.getByRole('menuitem', { name: 'Import an archive …' }).click()]);
    await chooser.setFiles({ name: 'archive.tar', mimeType: 'application/x-tar', buffer: readFileSync(await archive.path()) });
    await lines().nth(many).waitFor();
  });

  it('tells what a deletion frees, and deletes', async () => {
    const id = await backUp('To be deleted');
    await page.goto(`/backups/${id}`);
    await page.getByRole('button', { name: 'Delete …' }).click();
    await page.getByText(/This frees/).waitFor();
    await page.getByRole('button', { name: 'Delete the backup' }).click();
    await page.waitForURL((url) => url.pathname === '/');
    await page.getByText('To be deleted').waitFor({ state: 'detached' });
  });

  it('names what a cleanup would take, and takes no more', async () => {
    const { backups } = await service.call<{ backups: { backup_id: string; backup_type: string; pinned: boolean }[] }>('GET', '/api/backups');
    const newest = backups.find((backup) => backup.backup_type === 'full');
    const stay = backups.filter((backup) => backup.pinned || backup.backup_type === 'pre-restore' || backup === newest).length;
    await page.goto('/cleanup');
    await page.getByRole('spinbutton', { name: 'Keep newest' }).fill('1');
    await page.keyboard.press('Tab');
    await page.getByText(new RegExp(`would go, ${stay} stay`)).waitFor();
    await page.getByRole('region', { name: 'Backups, and what becomes of each' }).getByText('pinned', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: /^Delete \d+ backups? …$/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: /^Delete \d+ backups?$/ }).click();
    await page.waitForURL((url) => url.pathname === '/');
    const { count } = await service.call<{ count: number }>('GET', '/api/backups');
    expect(count).toBe(stay);
  });

  it('counts what the store holds, and what it costs', async () => {
    await page.goto('/statistics');
    await page.getByText('Deduplication').waitFor();
    await page.getByRole('region', { name: 'Disk' }).waitFor();
    await page.getByRole('region', { name: 'What each backup would free' }).getByText(/when made/).first().waitFor();
  });

  it('keeps what was done, and who did it', async () => {
    await page.goto('/activity');
    await page.getByRole('region', { name: 'Jobs' }).getByText('Restore', { exact: true }).first().waitFor();
    await page.getByRole('region', { name: 'Audit', exact: true }).getByText('system').first().waitFor();
  });

  it('has asked no other host and heard no complaint of the browser', () => {
    expect(watched.complaints).toEqual([]);
  });
});
