import { afterEach, describe, expect, it, vi } from 'vitest';
import { job } from '@/testing/samples';
import type { Job } from './types';
import { listen } from './events';
import { api, jobs } from './api';
import { download } from './download';
import { asProblem } from './problem';
import { forgetToken, keepToken, token, tokenAsked } from './token';

function answer(body: BodyInit | null, init: ResponseInit = {}) {
  const fetched = vi.fn<typeof fetch>(() => Promise.resolve(new Response(body, init)));
  vi.stubGlobal('fetch', fetched);
  return fetched;
}
const asked = (fetched: ReturnType<typeof answer>) => fetched.mock.calls[0]?.[0] as Request;

afterEach(() => {
  vi.unstubAllGlobals();
  forgetToken();
  tokenAsked.value = false;
});

describe('a call', () => {
  it('leaves out what is not given, escapes what is, and asks for a job', async () => {
    const fetched = answer(JSON.stringify({ job: job('a') }), { status: 202 });
    expect((await jobs.preview('20250920_143022', { dataset: undefined, vrf: 'a&b' })).job_id).toBe('a');
    expect(asked(fetched).url).toMatch(/\/api\/preview\/20250920_143022\?vrf=a%26b$/);
    expect(asked(fetched).headers.get('Prefer')).toBe('respond-async');
  });

  it('carries the token that was given', async () => {
    const fetched = answer('{}');
    keepToken(' ipr_secret ', false);
    await api.session();
    expect(asked(fetched).headers.get('X-Rewind-Token')).toBe('ipr_secret');
  });

  it('fails with the problem that the service tells', async () => {
    const problem = { title: 'Another run is under way', status: 409, detail: 'restore of X', code: 'busy' };
    answer(JSON.stringify(problem), { status: 409 });
    const failed = await api.backups().catch(asProblem);
    expect(failed).toMatchObject(problem);
  });

  it('fails with words even if what answers is no service of ours', async () => {
    answer('<html>Bad gateway</html>', { status: 502, statusText: 'Bad Gateway' });
    expect(await api.backups().catch(asProblem)).toMatchObject({ title: 'Bad Gateway', status: 502 });
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')));
    expect(await api.backups().catch(asProblem)).toMatchObject({ code: 'no_answer' });
  });

  it('asks for a token when it is refused for want of one', async () => {
    answer(JSON.stringify({ detail: 'this needs a token', code: 'unauthenticated' }), { status: 403 });
    await api.backups().catch(asProblem);
    expect(tokenAsked.value).toBe(true);
  });
});

describe('an upload', () => {
  class Request {
    static sent: Request;
    upload: { onprogress?: (event: { loaded: number }) => void } = {};
    headers: Record<string, string> = {};
    status = 202;
    statusText = '';
    responseText = JSON.stringify({ job: job('i') });
    onload: () => void = () => undefined;
    onerror: () => void = () => undefined;
    open() { Request.sent = this; }
    setRequestHeader(name: string, value: string) { this.headers[name] = value; }
    send() { this.upload.onprogress?.({ loaded: 3 }); }
  }

  it('tells how much was sent, with the token that was given', async () => {
    vi.stubGlobal('XMLHttpRequest', Request);
    keepToken('ipr_secret', false);
    const told: number[] = [];
    const started = jobs.import(new Blob(['12345']), (sent) => told.push(sent));
    Request.sent.onload();
    expect((await started).job_id).toBe('i');
    expect(told).toEqual([3]);
    expect(Request.sent.headers).toMatchObject({ 'X-Rewind-Token': 'ipr_secret', Prefer: 'respond-async', 'Content-Type': 'application/x-tar' });
  });

  it('fails as any call does', async () => {
    vi.stubGlobal('XMLHttpRequest', Request);
    const cut = jobs.import(new Blob(), () => undefined).catch(asProblem);
    Request.sent.onerror();
    expect(await cut).toMatchObject({ code: 'no_answer' });
    const refused = jobs.import(new Blob(), () => undefined).catch(asProblem);
    Object.assign(Request.sent, { status: 413, responseText: JSON.stringify({ detail: 'too large', code: 'too_large' }) });
    Request.sent.onload();
    expect(await refused).toMatchObject({ code: 'too_large' });
  });
});

describe('a download with a token', () => {
  const file = (written: WritableStream) => ({ createWritable: () => Promise.resolve(written), remove: vi.fn(() => Promise.resolve()) });

  it('goes to the file as it comes, where the browser can', async () => {
    answer('all of it');
    keepToken('ipr_secret', false);
    const chunks: Uint8Array[] = [];
    const chosen = file(new WritableStream({ write(chunk: Uint8Array) { chunks.push(chunk); } }));
    vi.stubGlobal('showSaveFilePicker', () => Promise.resolve(chosen));
    await download('/api/x', 'x.tar');
    expect(new TextDecoder().decode(chunks[0])).toBe('all of it');
    expect(chosen.remove).not.toHaveBeenCalled();
  });

  it('leaves no half file, and asks for nothing if nobody wants it', async () => {
    const fetched = answer('{}', { status: 500 });
    keepToken('ipr_secret', false);
    vi.stubGlobal('showSaveFilePicker', () => Promise.reject(new DOMException('no', 'AbortError')));
    await download('/api/x', 'x.tar');
    expect(fetched).not.toHaveBeenCalled();
    const chosen = file(new WritableStream());
    vi.stubGlobal('showSaveFilePicker', () => Promise.resolve(chosen));
    expect(await download('/api/x', 'x.tar').catch(asProblem)).toMatchObject({ status: 500 });
    expect(chosen.remove).toHaveBeenCalled();
  });
});

describe('a token', () => {
  it('is kept for the tab, or for longer if asked', () => {
    keepToken('one', false);
    expect([sessionStorage.length, localStorage.length, token()]).toEqual([1, 0, 'one']);
    keepToken('two', true);
    expect([sessionStorage.length, localStorage.length, token()]).toEqual([0, 1, 'two']);
  });
});

describe('events', () => {
  const event = (id: number, told: Job) => `id: ${id}\nevent: job\ndata: ${JSON.stringify(told)}\n\n`;

  it('are told one by one, and the last one is known when the stream ends', async () => {
    const fetched = answer(`: hello\n\n${event(7, job('a'))}${event(9, job('b'))}`);
    const told: string[] = [];
    const last = await listen('5', { job: (one) => told.push(one.job_id), open: () => told.push('open') }, new AbortController().signal);
    expect(told).toEqual(['open', 'a', 'b']);
    expect(last).toBe('9');
    expect(fetched.mock.calls[0]?.[1]?.headers).toMatchObject({ 'Last-Event-ID': '5' });
  });

  it('that are cut in the middle are told once they are whole', async () => {
    const text = new TextEncoder().encode(event(1, job('ä')));
    const body = new ReadableStream<Uint8Array>({ start(stream) { for (const byte of text) stream.enqueue(Uint8Array.of(byte)); stream.close(); } });
    answer(body);
    const told: string[] = [];
    await listen('', { job: (one) => told.push(one.job_id), open: () => undefined }, new AbortController().signal);
    expect(told).toEqual(['ä']);
  });
});
