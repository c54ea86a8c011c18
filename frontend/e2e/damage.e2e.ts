/** A damaged backup, and a store without any. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers } from './support/axe';
import { launch, open } from './support/browser';
import { backUp, withService } from './support/service';

let browser: Browser;
beforeAll(async () => { browser = await launch(); });
afterAll(async () => { await browser.close(); });

describe('a damaged backup', () => {
  it('offers no restore, says what is damaged, what still works, and what to go back to', () => withService(['--prefixes', '200'], async (service) => {
    const bad = await backUp(service, 'To be damaged');
    service.damage();
    const { page } = await open(browser, service.base);
    await page.goto(`/backups/${bad}`);
    const panel = page.getByRole('complementary', { name: `Backup ${bad}` });
    await panel.getByRole('button', { name: 'Verify now' }).click();
    await panel.getByText('Damaged.').waitFor();
    expect(await panel.getByRole('button', { name: 'Restore …' }).count()).toBe(0);
    const after = await backUp(service, 'Made afterwards');
    await panel.getByRole('button', { name: 'Cannot be restored …' }).click();
    const damage = page.getByRole('alert', { name: 'Damage' });
    await damage.getByText('This backup is damaged and cannot be restored.').waitFor();
    await damage.getByText(/^Damaged: /).waitFor();
    await damage.getByRole('link', { name: 'Made afterwards' }).waitFor();
    expect(await page.getByRole('button', { name: 'Restore now' }).count()).toBe(0);
    expect(await barriers(page)).toEqual([]);
    await damage.getByRole('link', { name: 'Made afterwards' }).click();
    await page.waitForURL(`**/restore/${after}`);
    await page.getByText('Nothing would change').waitFor();
    await page.context().close();
  }));
});

describe('an empty store', () => {
  it('takes an archive that was exported elsewhere', () => withService(['--prefixes', '200'], async (service) => {
    const id = await backUp(service, 'Carried over');
    const archive = Buffer.from(await (await fetch(`${service.base}/api/backup/${id}/archive`)).arrayBuffer());
    await service.call('DELETE', `/api/backup/${id}`);
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await page.getByRole('heading', { name: 'No backup yet' }).waitFor();
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.getByRole('button', { name: 'Import an archive …' }).click()]);
    await chooser.setFiles({ name: 'archive.tar', mimeType: 'application/x-tar', buffer: archive });
    await page.getByRole('button', { name: 'Carried over', exact: true }).waitFor();
    await page.context().close();
  }));
});
