/** The browser that is installed, quiet and without a network of its own. */
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const QUIET = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export function launch(...more: string[]): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...QUIET, ...more] });
}

export interface Watched {
  page: Page;
  /** What the browser complained of, and what was asked of other hosts. */
  complaints: string[];
}

const DESK: BrowserContextOptions = { viewport: { width: 1440, height: 900 }, timezoneId: 'UTC', locale: 'en-GB', colorScheme: 'light' };

/** A page that notes what must not happen: errors, breaches of the policy, requests to others. */
export async function open(browser: Browser, base: string, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ ...DESK, baseURL: base, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    const expected = /status of (4\d\d|503)/.test(message.text());
    if (message.type() === 'error' && !expected) complaints.push(message.text());
  });
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== base && protocol !== 'blob:') complaints.push(`asked another host: ${request.url()}`);
  });
  return { page, complaints };
}
