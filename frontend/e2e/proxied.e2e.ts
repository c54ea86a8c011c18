/** The page behind real proxies, at names and below paths, as the documentation describes them. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launch, open } from './support/browser';
import { caddy, nginx, type Proxy } from './support/proxy';
import { start, type Service } from './support/service';

const NAME = 'backup.example';
let browser: Browser;
let plain: Service;
let based: Service;
let proxy: Proxy | undefined;

beforeAll(async () => {
  browser = await launch(`--host-resolver-rules=MAP ${NAME} 127.0.0.1`);
  const open = ['--prefixes', '200', '--allowed-host', NAME, '--allow-anonymous-on-any-address'];
  plain = await start(...open);
  based = await start(...open, '--base-path', '/rewind');
  for (const service of [plain, based]) await service.call('POST', '/api/backup?description=Of%20all');
}, 240_000);
afterAll(async () => {
  await browser.close();
  await Promise.all([plain.stop(), based.stop()]);
});
afterEach(async () => {
  await proxy?.stop();
  proxy = undefined;
});

const visit = (root: string, options?: BrowserContextOptions) => open(browser, root.split('/').slice(0, 3).join('/'), options);

/** What a person does: comes, makes a backup and sees it come by an event, opens its details, comes again, reads the API. */
async function works(page: Page, root: string, name: string): Promise<void> {
  const asked = page.waitForResponse((response) => response.url().endsWith('.woff2'));
  await page.goto(root);
  expect((await asked).status()).toBe(200);
  await page.getByLabel('Description of the new backup').fill(name);
  await page.getByRole('button', { name: 'Back up now' }).click();
  const made = page.getByRole('button', { name, exact: true });
  await made.click();
  await page.getByRole('complementary', { name: /^Backup / }).waitFor();
  expect(page.url()).toMatch(new RegExp(`^${root}backups/`));
  await page.reload();
  await page.getByRole('complementary', { name: /^Backup / }).waitFor();
  await page.goto(`${root}statistics`);
  await page.getByText('Deduplication').waitFor();
  await page.getByRole('link', { name: 'ipam-rewind' }).click();
  await made.waitFor();
  expect(page.url()).toBe(root);
  await page.getByRole('link', { name: 'Skip to the content' }).press('Enter');
  expect([page.url(), await page.evaluate(() => document.activeElement?.id)]).toEqual([root, 'main']);
  await page.goto(`${root}docs`);
  const list = page.locator('#operations-backups-list_backups');
  await list.locator('.opblock-summary-control').click();
  await list.getByRole('button', { name: 'Execute' }).click();
  await list.locator('.live-responses-table .response-col_status').getByText('200').waitFor();
  expect(page.url()).toMatch(new RegExp(`^${root}docs/`));
}

const SETUPS: [string, () => Promise<Proxy>, string][] = [
  ['nginx at a name', () => nginx('name', plain.base), '/'],
  ['nginx below a path', () => nginx('path', based.base), '/rewind/'],
  ['nginx that takes the path off', () => nginx('path', plain.base, [[`proxy_pass ${plain.base};`, `proxy_pass ${plain.base}/;`]]), '/rewind/'],
  ['nginx that takes the path off, where the service knows it', () => nginx('path', based.base, [[`proxy_pass ${based.base};`, `proxy_pass ${based.base}/;`]]), '/rewind/'],
  ['Caddy at a name', () => caddy('name', plain.base), '/'],
  ['Caddy below a path', () => caddy('path', based.base), '/rewind/'],
  ['Caddy that takes the path off', () => caddy('stripped', plain.base), '/rewind/'],
];

describe('the page behind', () => {
  it.each(SETUPS)('%s', async (name, run, path) => {
    proxy = await run();
    const root = `http://${NAME}:${proxy.port}${path}`;
    const { page, complaints } = await visit(root);
    await works(page, root, `By ${name}`);
    expect(complaints.filter((words) => !words.includes('Cross-Origin-Opener-Policy'))).toEqual([]);
    await page.context().close();
  });

  it('a path is found without the slash at its end, and the addresses of jobs lead back through it', async () => {
    proxy = await caddy('path', based.base);
    const answer = await fetch(`${based.base}/rewind`, { redirect: 'manual' });
    expect(answer.headers.get('Location')).toBe('/rewind/');
    const started = await fetch(`http://127.0.0.1:${proxy.port}/rewind/api/verify`, {
      method: 'POST', headers: { 'Content-Type': 'application/json', Prefer: 'respond-async' }, body: JSON.stringify({ backups: [] }),
    });
    const place = started.headers.get('Location') ?? '';
    expect([started.status, place]).toEqual([202, expect.stringMatching(/^\/rewind\/api\/jobs\//)]);
    expect((await fetch(new URL(place, started.url))).status).toBe(200);
  });

  it.each([['nginx', nginx], ['Caddy', caddy]])('a password of %s, with tokens', async (_, run) => {
    const token = /ipr_\w+/.exec(plain.run('--json', 'token', 'create', `for-${_}`, '--role', 'admin'))?.[0] ?? '';
    proxy = await run('password', plain.base);
    const root = `http://${NAME}:${proxy.port}/`;
    expect((await fetch(`http://127.0.0.1:${proxy.port}/`)).status).toBe(401);
    const { page, complaints } = await visit(root);
    const refused: string[] = [];
    page.on('response', (response) => { if (response.status() === 401 && response.request().resourceType() !== 'document') refused.push(response.url()); });
    // As typed into the browser's own prompt; it must not have to ask again.
    await page.goto(root.replace('http://', 'http://alice:secret@'));
    const prompt = page.getByRole('dialog', { name: 'Sign in' });
    await prompt.getByLabel('Token').fill('ipr_wrong');
    await prompt.getByRole('button', { name: 'Sign in' }).click();
    await prompt.getByRole('alert').getByText('does not know this token').waitFor();
    await prompt.getByLabel('Token').fill(token);
    await prompt.getByRole('button', { name: 'Sign in' }).click();
    await prompt.waitFor({ state: 'hidden' });
    await works(page, root, `Behind a password of ${_}`);
    expect(refused).toEqual([]);
    expect(complaints.filter((words) => !words.includes('Cross-Origin-Opener-Policy'))).toEqual([]);
    await page.context().close();
  });
});
