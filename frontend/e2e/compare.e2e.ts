/** Thousands of rows that differ, searched and paged through on the service. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers } from './support/axe';
import { launch, open } from './support/browser';
import { start, type Service } from './support/service';

let browser: Browser;
beforeAll(async () => { browser = await launch(); });
afterAll(async () => { await browser.close(); });

describe('a comparison', () => {
  const FLOOD = 4000;
  let service: Service;
  let id = '';
  beforeAll(async () => {
    service = await start('--prefixes', '2000');
    service.sql(`INSERT INTO vrf (vrf_id) VALUES ('Other prefixes');
      INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
        SELECT 'aaa-' || n, 'Other prefixes', (host('172.16.0.0'::inet + n * 16) || '/28')::cidr, 'manual', true FROM generate_series(0, ${FLOOD - 1}) n`);
    id = (await service.call<{ backup_id: string }>('POST', '/api/backup?description=Before%20the%20flood')).backup_id;
    service.sql(`UPDATE prefix SET tags = '{"owner": "flood"}' WHERE prefix_id LIKE 'aaa-%';
      UPDATE prefix SET tags = '{"owner": "late"}' WHERE prefix_id = (SELECT max(prefix_id) FROM prefix WHERE source = 'manual')`);
  });
  afterAll(() => service.stop());

  it('finds a network among all rows that changed, also where it did not change, as a row and in the tree', async () => {
    const { page, complaints } = await open(browser, service.base);
    await page.goto(`/compare/${id}/live`);
    await page.getByText('4,001 rows differ').waitFor();
    const rows = page.getByRole('region', { name: 'Changed rows' });
    await rows.getByText(/^4,001 of 4,001 rows/).waitFor();
    const search = page.getByLabel('Search the changed rows');
    await search.fill('172.16.238.0/28');
    await rows.getByText(/^1 of 4,001 rows/).waitFor();
    await rows.getByRole('button', { name: /changed prefix 172\.16\.238\.0\/28 Other prefixes/ }).click();
    await rows.getByRole('cell', { name: 'flood' }).waitFor();
    await rows.getByRole('row', { name: /tags\.owner/ }).getByText('not set').waitFor();
    await search.fill('172.16.128.0/17 flood');
    await rows.getByText(/^1,952 of 4,001 rows/).waitFor();
    await rows.getByRole('button', { name: 'Prefix tree' }).click();
    await rows.getByText('1,952 changed').waitFor();
    await search.fill('172.16.238.5');
    await rows.getByRole('button', { name: 'changed 172.16.238.0/28' }).waitFor();
    await search.fill('late');
    await rows.getByText('Other prefixes', { exact: true }).waitFor({ state: 'detached' });
    await rows.getByText(/^1 of 4,001 rows/).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('shows all rows, each page once somebody looks, and the totals of the tree', async () => {
    const { page } = await open(browser, service.base);
    await page.goto(`/compare/${id}/live`);
    const box = page.getByRole('region', { name: 'Rows that differ' });
    await box.getByRole('button').first().waitFor();
    await box.evaluate((list) => { list.scrollTop = list.scrollHeight; });
    await box.getByRole('button', { name: /^changed prefix / }).last().waitFor();
    expect(await box.getByRole('listitem').last().getAttribute('aria-posinset')).toBe('4001');
    await page.getByRole('button', { name: 'Prefix tree' }).click();
    const tree = page.getByRole('region', { name: /network within network/ });
    await tree.getByText('4,000 changed').waitFor();
    const more = tree.getByRole('button', { name: /^Show more of 3,800 others/ });
    await tree.evaluate((list) => { list.scrollTop = list.scrollHeight; });
    await tree.getByText('Other prefixes', { exact: true }).or(more).first().waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.context().close();
  });

  it('is made anew where the service does not keep it any more', async () => {
    const { page } = await open(browser, service.base);
    await page.goto(`/compare/${id}/live`);
    await page.getByText(/^4,001 of 4,001 rows/).waitFor();
    for (let turn = 0; turn < 8; turn += 1) await service.call('GET', `/api/diff/${id}/${id}`);
    await page.getByLabel('Search the changed rows').fill('172.16.238.0/28');
    await page.getByText(/^1 of 4,001 rows/).waitFor();
    await page.context().close();
  });
});

