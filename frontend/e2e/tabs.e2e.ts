/** Many tabs of one browser on plain HTTP/1.1, where it has six connections for a host; and no secure context. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { launch, open } from './support/browser';
import { counter, type Counter } from './support/counter';
import { start, type Service } from './support/service';

const NAME = 'backup.example';
let browser: Browser;
let service: Service;
let proxy: Counter;

beforeAll(async () => {
  browser = await launch(`--host-resolver-rules=MAP ${NAME} 127.0.0.1`);
  service = await start('--prefixes', '200', '--allowed-host', NAME, '--allow-anonymous-on-any-address');
  await service.call('POST', '/api/backup?description=The%20first');
  proxy = await counter(service.base);
});
afterAll(async () => {
  await browser.close();
  proxy.stop();
  await service.stop();
});

/** As the browser tells a tab that another one is in front of it; with several windows it cannot be had for real. */
async function turn(page: Page, state: 'hidden' | 'visible'): Promise<void> {
  await page.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
}

const soon = (look: () => void) => vi.waitFor(look, { timeout: 20_000, interval: 50 });

async function tabs(context: BrowserContext, many: number): Promise<Page[]> {
  const pages: Page[] = [];
  for (let tab = 0; tab < many; tab += 1) {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    await page.goto('/');
    await page.getByRole('button', { name: 'The first', exact: true }).waitFor();
    pages.push(page);
  }
  return pages;
}

describe('eight tabs', () => {
  it.each([['with a worker that they share', true], ['where the browser has none', false]])('%s all work and hear of a backup', async (_, worker) => {
    const context = await browser.newContext({ baseURL: proxy.base });
    if (!worker) await context.addInitScript(() => { Reflect.deleteProperty(globalThis, 'SharedWorker'); });
    const pages: Page[] = [];
    if (worker) {
      pages.push(...await tabs(context, 8));
      await soon(() => { expect(proxy.streams().open).toBe(1); });
    } else {
      for (let tab = 0; tab < 8; tab += 1) {
        const [page] = await tabs(context, 1);
        if (!page) throw new Error('no tab');
        pages.push(page);
        // As in one window: the new tab hides the others.
        if (tab < 7) await turn(page, 'hidden');
      }
      await soon(() => { expect(proxy.streams().open).toBe(1); });
    }
    const name = `Heard of ${String(worker)}`;
    await service.call('POST', `/api/backup?description=${encodeURIComponent(name)}`);
    await Promise.all(pages.map(async (page) => {
      if (!worker) await turn(page, 'visible');
      await page.getByRole('button', { name, exact: true }).waitFor();
    }));
    for (const page of pages) await turn(page, 'hidden');
    await soon(() => { expect(proxy.streams().open).toBe(0); });
    const before = proxy.streams().all;
    // Nothing is held while all are hidden, and one that is shown again is up to date.
    await service.call('POST', `/api/backup?description=${encodeURIComponent(`${name} again`)}`);
    const [first] = pages;
    if (!first) throw new Error('no tab');
    await turn(first, 'visible');
    await first.getByRole('button', { name: `${name} again`, exact: true }).waitFor();
    await soon(() => { expect(proxy.streams()).toEqual({ open: 1, all: before + 1 }); });
    await context.close();
    await soon(() => { expect(proxy.streams().open).toBe(0); });
  });

  it('of which some are closed leave the stream to the others', async () => {
    const context = await browser.newContext({ baseURL: proxy.base });
    const [first, second] = await tabs(context, 2);
    await soon(() => { expect(proxy.streams().open).toBe(1); });
    await first?.close();
    await service.call('POST', '/api/backup?description=After%20one%20closed');
    await second?.getByRole('button', { name: 'After one closed', exact: true }).waitFor();
    expect(proxy.streams().open).toBe(1);
    await context.close();
  });
});

describe('over plain HTTP at a name', () => {
  it('what is copied is in the clipboard', async () => {
    const root = `http://${NAME}:${new URL(service.base).port}`;
    const { page, complaints } = await open(browser, root);
    await page.goto('/');
    expect(await page.evaluate(() => [globalThis.isSecureContext, 'clipboard' in navigator])).toEqual([false, false]);
    await page.getByRole('button', { name: 'The first', exact: true }).click();
    const copy = page.getByTitle(/Click to copy/).first();
    await copy.click();
    await page.getByText(/ copied$/).waitFor();
    const search = page.getByLabel('Search backups');
    await search.fill('');
    await search.press('Control+V');
    expect(await search.inputValue()).not.toBe('');
    expect(complaints.filter((words) => !words.includes('Cross-Origin-Opener-Policy'))).toEqual([]);
    await page.context().close();
  });
});
