import { flushPromises } from '@vue/test-utils';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { job } from '@/testing/samples';
import { Sharing } from './sharing';
import type { News, Source } from './stream';

const SOURCE: Source = { url: 'http://service/api/events', headers: { 'X-Rewind-Token': 'one' } };

/** A service whose streams the test writes. */
function service() {
  const streams: { signal: AbortSignal; write: (text: string) => void; close: () => void }[] = [];
  vi.stubGlobal('fetch', vi.fn((_: string, { signal }: { signal: AbortSignal }) => {
    let to: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({ start(controller) { to = controller; } });
    signal.addEventListener('abort', () => { to?.error(new DOMException('', 'AbortError')); });
    streams.push({ signal, write: (text) => { to?.enqueue(new TextEncoder().encode(text)); }, close: () => { to?.close(); } });
    return Promise.resolve(new Response(body));
  }));
  return streams;
}

function tab() {
  const told: string[] = [];
  return { told, postMessage: (news: News) => { told.push(news.kind === 'job' ? news.job.job_id : news.kind); } };
}

afterEach(() => { vi.unstubAllGlobals(); });

describe('a stream that tabs share', () => {
  it('is one for all tabs of a caller, and closed when the last one leaves', async () => {
    const streams = service();
    const sharing = new Sharing();
    const [first, second] = [tab(), tab()];
    sharing.take(first, { join: SOURCE, lastId: '' });
    await flushPromises();
    sharing.take(second, { join: SOURCE, lastId: '' });
    streams[0]?.write(`event: job\nid: 1\ndata: ${JSON.stringify(job('a'))}\n\n`);
    await vi.waitFor(() => { expect([first.told, second.told]).toEqual([['open', 'a'], ['open', 'a']]); });
    sharing.take(first, { leave: true });
    expect(streams[0]?.signal.aborted).toBe(false);
    sharing.take(second, { leave: true });
    expect([streams.length, streams[0]?.signal.aborted]).toEqual([1, true]);
  });

  it('is another one for another token', async () => {
    const streams = service();
    const sharing = new Sharing();
    sharing.take(tab(), { join: SOURCE, lastId: '' });
    sharing.take(tab(), { join: { ...SOURCE, headers: { 'X-Rewind-Token': 'two' } }, lastId: '' });
    await flushPromises();
    expect(streams.length).toBe(2);
  });

  it('tells all tabs when it is over or refused, and begins anew for who asks again', async () => {
    const streams = service();
    const sharing = new Sharing();
    const [first, second] = [tab(), tab()];
    for (const one of [first, second]) sharing.take(one, { join: SOURCE, lastId: '' });
    await flushPromises();
    streams[0]?.close();
    await vi.waitFor(() => { expect([first.told, second.told]).toEqual([['open', 'end'], ['open', 'end']]); });
    sharing.take(first, { join: SOURCE, lastId: '' });
    await flushPromises();
    expect(streams.length).toBe(2);
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify({ detail: '', code: 'unauthenticated' }), { status: 403 })));
    sharing.take(second, { join: { ...SOURCE, headers: {} }, lastId: '' });
    await vi.waitFor(() => { expect(second.told.at(-1)).toBe('failed'); });
  });
});
