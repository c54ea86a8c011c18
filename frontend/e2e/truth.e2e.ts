/** What must not mislead: a restore is bound to what was seen, a cleanup asks, a verdict is of now. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers } from './support/axe';
import { launch, open } from './support/browser';
import { crash, server } from './support/rival';
import { backUp, start, withService, type Service } from './support/service';
import { fingerprint, makeMess } from './support/site';

let browser: Browser;
beforeAll(async () => { browser = await launch(); });
afterAll(async () => { await browser.close(); });

const truth = (page: Page) => page.getByRole('region', { name: 'Protection' });
const list = async (service: Service) =>
  (await service.call<{ backups: { backup_id: string; description: string; backup_type: string }[] }>('GET', '/api/backups')).backups;

describe('a restore', () => {
  let service: Service;
  let id = '';
  beforeAll(async () => {
    service = await start('--prefixes', '2000');
    id = await backUp(service, 'Before the import');
  });
  afterAll(() => service.stop());

  async function confirm(page: Page): Promise<void> {
    await page.getByRole('textbox', { name: /type its id/ }).fill(id);
    await page.getByRole('button', { name: 'Restore now' }).click();
  }

  it('replaces no other rows than those that the page has shown, and shows the new ones', async () => {
    const { page } = await open(browser, service.base);
    service.sql("UPDATE vrf SET description = 'one slip' WHERE vrf_id = 'prod-vrf'");
    await page.goto(`/restore/${id}`);
    await page.getByText(/sets 1 row to what/).waitFor();
    await page.getByText(/As of \d\d:\d\d:\d\d UTC/).waitFor();
    makeMess(service);
    const mess = fingerprint(service);
    await confirm(page);
    await page.getByRole('alert').getByText('The live rows have changed since you looked.').waitFor();
    await page.getByText(/This brings back 60 rows/).waitFor();
    expect(fingerprint(service)).toBe(mess);
    expect(await barriers(page)).toEqual([]);
    // Seen now, it may be replaced.
    await confirm(page);
    await page.getByRole('heading', { name: 'Restored and proven.' }).waitFor();
    expect(fingerprint(service)).not.toBe(mess);
    await page.context().close();
  });

  it('of another tab renews what this one shows', async () => {
    const { page } = await open(browser, service.base);
    const other = await backUp(service, 'The same rows');
    makeMess(service);
    await page.goto(`/restore/${id}`);
    await page.getByText(/This brings back 60 rows/).waitFor();
    await service.call('POST', `/api/restore/${other}`);
    await page.getByText('Nothing would change: the live data is exactly what the backup holds.').waitFor();
    await page.context().close();
  });

  it('is undone only to what the question has shown', async () => {
    const { page } = await open(browser, service.base);
    makeMess(service);
    await service.call('POST', `/api/restore/${id}`);
    await page.goto('/');
    const bar = page.getByRole('region', { name: 'Last restore' });
    await bar.getByRole('button', { name: 'Undo' }).click();
    const dialog = page.getByRole('dialog', { name: 'Undo the restore?' });
    await dialog.getByText(/This brings back 41 rows/).waitFor();
    const [undo, cancel] = [dialog.getByRole('button', { name: 'Undo the restore' }), dialog.getByRole('button', { name: 'Cancel' })];
    const [first, second] = [await cancel.boundingBox(), await undo.boundingBox()];
    expect((second?.x ?? 0) - ((first?.x ?? 0) + (first?.width ?? 0))).toBeGreaterThanOrEqual(8);
    expect(await barriers(page)).toEqual([]);
    service.sql("UPDATE vrf SET description = 'changed meanwhile' WHERE vrf_id = 'prod-vrf'");
    const before = fingerprint(service);
    await undo.click();
    await page.getByRole('alert').getByText('The live rows have changed since you looked.').waitFor();
    expect(fingerprint(service)).toBe(before);
    await page.context().close();
  });

  it('of a part speaks of that part alone', async () => {
    await service.call('POST', `/api/restore/${id}`);
    service.sql("UPDATE vrf SET description = 'not asked for' WHERE vrf_id = 'prod-vrf'");
    const { page } = await open(browser, service.base);
    await page.goto(`/restore/${id}`);
    await page.getByText(/sets 1 row to what/).waitFor();
    await page.getByText('Restore only part').click();
    await page.getByRole('group', { name: 'Datasets' }).getByText('Public IPs').click();
    await page.getByText('Nothing would change in what is chosen').waitFor();
    await page.getByText('The rest was not compared.').waitFor();
    expect(await page.getByText('exactly what the backup holds').count()).toBe(0);
    await page.context().close();
  });

  it('offers the VRFs of the backup to choose from, and says in words what it does not know', async () => {
    const { page } = await open(browser, service.base);
    await page.goto(`/restore/${id}`);
    await page.getByText('Restore only part').click();
    const picker = page.getByRole('combobox', { name: 'Only this VRF' });
    await picker.click();
    await picker.fill('prod');
    await page.getByRole('option', { name: /^prod-vrf/ }).first().click();
    await page.getByText(/sets 1 row to what/).waitFor();
    await picker.click();
    await picker.fill('no-such-vrf');
    await picker.press('Enter');
    await page.getByRole('alert').getByText('there is no VRF "no-such-vrf", neither in the backup nor in the database').waitFor();
    await page.context().close();
  });
});

describe('a cleanup', () => {
  it('asks with the number of those that go, which is typed above five', () => withService(['--prefixes', '200', '--keep-all'], async (service) => {
    for (const turn of [1, 2, 3, 4, 5, 6, 7]) {
      service.sql(`UPDATE vrf SET description = (SELECT string_agg(md5(vrf_id || n || ${turn}), '') FROM generate_series(1, 2000) n)`);
      await backUp(service, `Backup ${turn}`);
    }
    const kept = (await list(service))[0]?.backup_id ?? '';
    await service.call('POST', `/api/restore/${kept}`);
    const { page, complaints } = await open(browser, service.base);
    await page.goto('/cleanup');
    await page.getByRole('spinbutton', { name: 'Keep newest' }).fill('1');
    await page.getByLabel('Keep safety backups for, e.g. 30d').fill('0h');
    await page.getByText(/6 backups would go/).waitFor();
    // What each frees is together what the headline says.
    const report = await service.call<{ freed: { bytes: number }; frees: Record<string, number> }>('POST', '/api/cleanup?keep=1&keep_pre_restore=0h&dry_run=true');
    expect(Object.values(report.frees).reduce((sum, bytes) => sum + bytes, 0)).toBe(report.freed.bytes);
    await page.getByRole('region', { name: 'Backups', exact: true }).getByText(/^frees /).first().waitFor();
    await page.getByRole('heading', { name: /^Safety backups 0 of 1 would go/ }).waitFor();
    await page.getByText(/undoes the last restore/).first().waitFor();
    await page.getByRole('button', { name: 'Delete 6 backups …' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete 6 backups?' });
    const button = dialog.getByRole('button', { name: 'Delete 6 backups' });
    expect(await button.isDisabled()).toBe(true);
    expect(await barriers(page)).toEqual([]);
    expect((await list(service)).length).toBe(8);
    await dialog.getByRole('textbox').fill('5');
    expect(await button.isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('6');
    await button.click();
    await page.waitForURL((url) => url.pathname === '/');
    expect((await list(service)).map((one) => one.backup_type)).toEqual(['pre-restore', 'full']);
    // Nothing at all is refused in words.
    await page.goto('/cleanup');
    await page.getByLabel('Keep all younger than, e.g. 30d').fill('soon');
    await page.getByText('A length of time is a number of hours, days or weeks: 36h, 14d or 8w.').waitFor();
    expect(await page.getByText('deserialize').count()).toBe(0);
    expect(complaints).toEqual([]);
    await page.context().close();
  }));
});

describe('the verdict', () => {
  it('turns grey with the stream, also where another answer says otherwise', () => withService(['--prefixes', '200'], async (service) => {
    await backUp(service, 'The only one');
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await truth(page).getByText(/^Protected\. Last backup/).waitFor();
    const at = Date.now();
    crash(service);
    await page.waitForFunction(() => !document.querySelector('.truth')?.classList.contains('good'));
    expect(Date.now() - at).toBeLessThan(3000);
    await truth(page).getByText(/Connection lost|Service unreachable/).waitFor();
    expect(await page.locator('.truth').getAttribute('class')).toContain('unknown');
    expect(await barriers(page)).toEqual([]);
    // A part of the page that was not loaded yet.
    await page.getByRole('link', { name: 'Statistics' }).click();
    await page.getByRole('alert').getByText('This part of the page could not be loaded').waitFor();
    await page.context().close();
  }));

  it('says within seconds that the database is gone', () => withService(['--prefixes', '200'], async (service) => {
    await backUp(service, 'The only one');
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await truth(page).getByText(/^Protected\. Last backup/).waitFor();
    server(service, 'STOP');
    try {
      const at = Date.now();
      await truth(page).getByText(/the database is out of reach now/).waitFor();
      expect(Date.now() - at).toBeLessThan(15_000);
    } finally {
      server(service, 'CONT');
    }
    await truth(page).getByText(/^Protected\. Last backup/).waitFor();
    await page.context().close();
  }));

  it('is of what live is: a restore, and rows that no backup has', () => withService(['--prefixes', '2000'], async (service) => {
    const good = await backUp(service, 'The good one');
    const { page } = await open(browser, service.base);
    await page.goto('/');
    const now = page.getByRole('region', { name: 'Now' });
    await now.getByText(/No row differs from the last backup/).waitFor();
    makeMess(service);
    await now.getByRole('button', { name: 'Compare again' }).click();
    await now.getByText(/221 rows differ from the last backup/).waitFor();
    await truth(page).getByText(/Protected, but 221 rows differ from the last backup/).waitFor();
    await now.getByRole('link', { name: 'See them' }).click();
    await page.getByText('221 rows differ', { exact: true }).waitFor();
    await backUp(service, 'The bad one');
    await service.call('POST', `/api/restore/${good}`);
    await page.goto('/');
    await truth(page).getByText(/^Protected\. Restored .* to the backup made /).waitFor();
    await now.getByText(/No row differs from the backup of /).waitFor();
    expect(await truth(page).getByText(/Last backup/).count()).toBe(0);
    expect(await barriers(page)).toEqual([]);
    await page.context().close();
  }));

  it('never says verified where the list says that it is not, nor the other way round', () => withService(['--prefixes', '200'], async (service) => {
    await backUp(service, 'The only one');
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await truth(page).getByText(/not verified yet/).waitFor();
    const said: [string, boolean][] = [];
    await page.exposeFunction('note', (words: string, verified: boolean) => { said.push([words, verified]); });
    await page.evaluate(() => {
      new MutationObserver(() => {
        const words = document.querySelector('.truth h1')?.textContent ?? '';
        const verified = [...document.querySelectorAll('[data-backup]')].some((line) => line.closest('article')?.querySelector('.verified'));
        void (globalThis as unknown as { note: (words: string, verified: boolean) => void }).note(words, verified);
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
    service.run('verify');
    await truth(page).getByText(/, verified;/).waitFor({ timeout: 40_000 });
    const settled = said.filter(([words]) => words.includes('Protected'));
    // Between the answer to the one question and that to the next they may differ, but not at the end.
    expect(settled.at(-1)?.[1]).toBe(true);
    expect(settled.filter(([words, verified]) => words.includes('not verified yet') && verified).length).toBeLessThanOrEqual(2);
    await page.context().close();
  }));
});
