import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launch, open } from './support/browser';
import { start, type Service } from './support/service';

interface Listed { backups: { backup_id: string; description: string; automatic: boolean }[] }

let service: Service;
let browser: Browser;

beforeAll(async () => {
  [service, browser] = await Promise.all([start('--prefixes', '500', '--watch', '1s'), launch()]);
});
afterAll(async () => {
  await browser.close();
  await service.stop();
});

async function backups(): Promise<Listed['backups']> {
  return (await service.call<Listed>('GET', '/api/backups')).backups;
}

async function until(count: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await backups()).length >= count) return;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`there are never ${String(count)} backups`);
}

describe('a plan that is watched', () => {
  it('has a backup of each change, folded into one line until somebody wants to see them', async () => {
    await until(1);
    for (const [place, vrf] of ['one', 'two', 'three'].entries()) {
      service.sql(`INSERT INTO vrf (vrf_id) VALUES ('${vrf}')`);
      await until(place + 2);
    }
    expect((await backups())[0]).toMatchObject({ description: '1 VRF', automatic: true });
    const { page } = await open(browser, service.base);
    await page.goto('/');
    await page.getByText('Looks for changes every 1 s, and backs up if there are some').waitFor();
    const list = page.getByRole('list', { name: 'Backups, newest first' });
    const run = list.getByRole('button', { name: /4 backups on a change/ });
    await run.waitFor();
    expect(await list.getByRole('article').count()).toBe(0);
    await run.click();
    await list.getByRole('article').nth(3).waitFor();
    await list.getByRole('button', { name: '1 VRF' }).first().click();
    await page.getByText('Metadata').click();
    await page.getByText(/1 row that changed since \d{8}_\d{6}/).waitFor();
    await page.context().close();
  });
});
