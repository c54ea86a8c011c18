import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers } from './support/axe';
import { launch, open } from './support/browser';
import { start, type Service } from './support/service';

let service: Service;
let browser: Browser;
let id = '';

beforeAll(async () => {
  [service, browser] = await Promise.all([start('--prefixes', '200'), launch()]);
  id = (await service.call<{ backup_id: string }>('POST', '/api/backup?description=Of%20all')).backup_id;
});
afterAll(async () => {
  await browser.close();
  await service.stop();
});

const ROLES = ['viewer', 'operator', 'admin'] as const;
const tokenFor = (role: string) => /ipr_\S+/.exec(service.run('--json', 'token', 'create', `the-${role}`, '--role', role))?.[0].replace(/[",]+$/, '') ?? '';

describe('with tokens', () => {
  it('the page asks who is there, refuses what it does not know, and then goes on', async () => {
    const token = tokenFor('admin');
    const { page, complaints } = await open(browser, service.base);
    await page.goto('/');
    const prompt = page.getByRole('dialog', { name: 'Sign in' });
    await prompt.getByLabel('Token').fill('ipr_wrong');
    await prompt.getByRole('button', { name: 'Sign in' }).click();
    await prompt.getByRole('alert').getByText('does not know this token').waitFor();
    expect(await barriers(page)).toEqual([]);
    await prompt.getByLabel('Token').fill(token);
    await prompt.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Of all', exact: true }).waitFor();
    await page.getByText('the-admin').first().waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Of all', exact: true }).waitFor();
    expect(complaints).toEqual([]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await prompt.waitFor();
    expect(await page.getByText('Of all').count()).toBe(0);
    await page.context().close();
  });

  it.each(ROLES.filter((role) => role !== 'admin'))('what a %s may not do is not offered', async (role) => {
    const token = tokenFor(role);
    const { page } = await open(browser, service.base);
    await page.addInitScript((value) => { sessionStorage.setItem('ipam-rewind.token', value); }, token);
    await page.goto(`/backups/${id}`);
    await page.getByText(`the-${role}`).waitFor();
    const panel = page.getByRole('complementary', { name: `Backup ${id}` });
    await panel.getByRole('button', { name: 'Archive' }).waitFor();
    const offered = async (name: string) => (await page.getByRole('button', { name }).count()) > 0;
    expect({ create: await offered('Back up now'), verify: await offered('Verify now'), remove: await offered('Delete …') })
      .toEqual({ create: role === 'operator', verify: role === 'operator', remove: false });
    await page.goto(`/restore/${id}`);
    await page.getByText(`Only an admin may restore; you are ${role}.`).waitFor();
    expect(await offered('Restore now')).toBe(false);
    await page.context().close();
  });
});
