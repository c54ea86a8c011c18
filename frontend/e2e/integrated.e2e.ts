/** The page of the application that the service was put beside: on another port than its API, by any host name. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { application, type Application } from './support/application';
import { launch } from './support/browser';
import { between, type Proxy } from './support/proxy';
import { freePort, start, type Service } from './support/service';

const NAMES = ['ipam.example', 'ipam', '127.0.0.1'] as const;
let browser: Browser;
let app: Application;
let service: Service;
let proxy: Proxy;
let port: number;

beforeAll(async () => {
  browser = await launch(`--host-resolver-rules=MAP ${NAMES[0]} 127.0.0.1, MAP ${NAMES[1]} 127.0.0.1`);
  app = await application();
  port = await freePort();
  service = await start('--prefixes', '200', '--cors-origin', `http://*:${port}`, '--allow-anonymous-on-any-address');
  const token = /ipr_\w+/.exec(service.run('--json', 'token', 'create', 'proxy', '--role', 'admin', '--proxy'))?.[0] ?? '';
  proxy = await between(service.base, app.api, token);
  await app.page(port, proxy.port);
}, 240_000);
afterAll(async () => {
  await browser.close();
  await proxy.stop();
  await service.stop();
  app.stop();
});

async function visit(origin: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(origin);
  await page.waitForFunction(() => document.title === 'IPAM, 42 prefixes');
  return page;
}

const says = (page: Page, words: string | RegExp) => page.getByRole('status').filter({ hasText: words }).waitFor();

describe('the page of an application on another port', () => {
  it.each(NAMES)('backs up, shows, restores and deletes at %s', async (name) => {
    const page = await visit(`http://${name}:${port}/`);
    await page.getByLabel('Description').fill(`By the page at ${name}`);
    await page.getByRole('button', { name: 'Create Backup' }).click();
    await says(page, 'Create: success');
    const line = page.getByRole('listitem').filter({ hasText: `| By the page at ${name} | system | full | completed | 0` });
    await line.getByRole('button', { name: 'Details' }).click();
    await says(page, 'Details: success');
    const details = await page.locator('pre').textContent() ?? '';
    const sizes = [...details.matchAll(/\.json (\d+)/g)].map(([, size]) => Number(size));
    expect([sizes.length, details]).toEqual([4, expect.stringContaining(`total ${sizes.reduce((sum, size) => sum + size, 0)}, 0 days`)]);

    const before = service.sql('SELECT count(*) FROM prefix');
    service.sql("DELETE FROM prefix WHERE source = 'manual' AND prefix_id NOT IN (SELECT parent_prefix_id FROM prefix WHERE parent_prefix_id IS NOT NULL) AND prefix_id NOT IN (SELECT parent_prefix_id FROM vpc_prefix_association)");
    expect(service.sql('SELECT count(*) FROM prefix')).not.toBe(before);
    await line.getByRole('button', { name: 'Restore' }).click();
    await says(page, 'Restore: success');
    expect(service.sql('SELECT count(*) FROM prefix')).toBe(before);
    await line.getByRole('button', { name: 'Delete' }).click();
    await says(page, 'Delete: success');
    await line.waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('of somebody else is refused, in words that the API tells', async () => {
    const other = await freePort();
    await app.page(other, proxy.port);
    const page = await (await browser.newContext()).newPage();
    await page.goto(`http://${NAMES[0]}:${other}/`);
    await page.getByRole('status').filter({ hasText: 'Error' }).waitFor();
    const answer = await fetch(`http://127.0.0.1:${proxy.port}/api/backups`, { headers: { Origin: `http://127.0.0.1:${other}` } });
    const { detail } = await answer.json() as { detail: string };
    expect([answer.status, detail]).toEqual([403, expect.stringContaining(`--cors-origin http://127.0.0.1:${other}`)]);
    await page.context().close();
  });
});
