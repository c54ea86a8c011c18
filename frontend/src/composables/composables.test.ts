import { flushPromises } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ref } from 'vue';
import { api, jobs } from '@/services/api';
import { ServiceError } from '@/services/problem';
import type { Job } from '@/services/types';
import { backup, job } from '@/testing/samples';
import { useBackups } from './useBackups';
import { useChanges } from './useChanges';
import { useJobs } from './useJobs';
import { usePicked } from './usePicked';
import { usePreview } from './usePreview';
import { useRequest } from './useRequest';
import { useTask } from './useTask';

afterEach(() => { vi.restoreAllMocks(); });

const listOf = (...ids: string[]) => ({ status: 'success', count: ids.length, backups: ids.map((id) => ({ ...backup(id), backup_path: 'x', age_days: 0 })) });

describe('jobs', () => {
  const { take, find, running, onOver } = useJobs();

  it('stay over once they are over, however late other news comes', () => {
    take(job('late'));
    take(job('late', { state: 'succeeded' }));
    take(job('late', { state: 'running' }));
    expect(find('late')?.state).toBe('succeeded');
    expect(running.value.map((one) => one.job_id)).not.toContain('late');
  });

  it('tell that they are over, but not those that were before the page came', () => {
    const told: string[] = [];
    const tell = (one: Job) => told.push(one.job_id);
    onOver.add(tell);
    take(job('old', { state: 'succeeded' }));
    take(job('new'));
    take(job('new', { state: 'failed' }));
    onOver.delete(tell);
    expect(told).toEqual(['new']);
  });
});

describe('a task', () => {
  it('has its result once its job is over', async () => {
    const { take } = useJobs();
    vi.spyOn(api, 'job').mockResolvedValue(job('t1', { state: 'succeeded', result: { freed: 3 } as never }));
    const task = useTask<{ freed: number }>();
    const done = task.run(() => Promise.resolve(job('t1')));
    await flushPromises();
    expect(task.busy.value).toBe(true);
    take(job('t1', { state: 'succeeded' }));
    expect(await done).toEqual({ freed: 3 });
    expect([task.busy.value, task.result.value?.freed]).toEqual([false, 3]);
  });

  it('fails with the problem of its job, or of the call that starts it', async () => {
    const problem = { type: 'about:blank', title: 'Damaged', status: 422, detail: 'chunk x', code: 'damaged' };
    const task = useTask();
    expect(await task.run(() => Promise.resolve(job('t2', { state: 'failed', problem })))).toBeNull();
    expect(task.problem.value).toMatchObject({ code: 'damaged' });
    await task.run(() => Promise.reject(new ServiceError({ ...problem, code: 'busy' })));
    expect(task.problem.value).toMatchObject({ code: 'busy' });
  });

  it('says so when it was cancelled', async () => {
    const task = useTask();
    await task.run(() => Promise.resolve(job('t3', { state: 'cancelled' })));
    expect(task.problem.value?.detail).toBe('It was cancelled; nothing was changed.');
  });
});

describe('two starts of a task', () => {
  it('give the newest result, whichever is answered last', async () => {
    vi.spyOn(api, 'job').mockImplementation((id) => Promise.resolve(job(id, { state: 'succeeded', result: { id } as never })));
    const answers: ((job: Job) => void)[] = [];
    const task = useTask<{ id: string }>();
    const [first, second] = [1, 2].map(() => task.run(() => new Promise((resolve) => answers.push(resolve))));
    answers[1]?.(job('s2', { state: 'succeeded' }));
    await second;
    answers[0]?.(job('s1', { state: 'succeeded' }));
    expect(await first).toBeNull();
    expect([task.result.value, task.busy.value]).toEqual([{ id: 's2' }, false]);
  });
});

describe('a preview of a restore', () => {
  it('holds only for the choice that it was asked with', async () => {
    vi.spyOn(jobs, 'preview').mockImplementation(() => Promise.resolve(job(crypto.randomUUID(), { kind: 'preview', state: 'succeeded' })));
    vi.spyOn(api, 'job').mockResolvedValue(job('p', { state: 'succeeded', result: { fingerprint: 'f' } as never }));
    const choice = ref({ datasets: [] as string[], vrf: '', safety: true });
    const { previewed, look } = usePreview('20250920_143022', choice);
    await look();
    expect(previewed.value).toEqual({ query: {}, fingerprint: 'f' });
    choice.value.datasets.push('vrfs');
    expect(previewed.value).toBeNull();
    await look();
    expect(previewed.value).toEqual({ query: { dataset: 'vrfs' }, fingerprint: 'f' });
    vi.spyOn(jobs, 'preview').mockRejectedValue(new TypeError('network'));
    await look();
    expect(previewed.value).toBeNull();
  });
});

describe('a request', () => {
  it('gives the newest answer, whichever comes last', async () => {
    const answers: ((text: string) => void)[] = [];
    const { data, run } = useRequest(() => new Promise<string>((resolve) => answers.push(resolve)));
    const [first, second] = [run(), run()];
    answers[1]?.('second');
    await second;
    answers[0]?.('first');
    await first;
    expect(data.value).toBe('second');
  });
});

describe('changes', () => {
  beforeEach(() => { useChanges().forget(); });

  it('are asked for once each, a few at a time, and only for what is still on show', async () => {
    const answers = new Map<string, () => void>();
    const asked = vi.spyOn(api, 'changes').mockImplementation((id) => new Promise((resolve) => {
      answers.set(id, () => { resolve({ status: 'success', backup_id: id, before: null, datasets: {} }); });
    }));
    const { want, known } = useChanges();
    want(['1', '2', '3', '4', '5', '6']);
    expect(asked).toHaveBeenCalledTimes(4);
    want(['1', '9']);
    answers.get('1')?.();
    await flushPromises();
    expect(asked.mock.lastCall).toEqual(['9']);
    expect(known.get('1')).toMatchObject({ before: null });
    expect(known.has('5')).toBe(false);
    answers.forEach((give) => { give(); });
    await flushPromises();
  });

  it('that cannot be had are not asked for again', async () => {
    const misfit = new ServiceError({ title: '', status: 422, detail: '', code: 'schema_mismatch' });
    const asked = vi.spyOn(api, 'changes').mockRejectedValue(misfit);
    const { want, known } = useChanges();
    want(['1']);
    await flushPromises();
    want(['1']);
    expect(asked).toHaveBeenCalledTimes(1);
    expect(known.get('1')).toBe('incomparable');
  });

  it('are asked for again where asking failed', async () => {
    const answer = { status: 'success', backup_id: '1', before: null, datasets: {} };
    vi.spyOn(api, 'changes').mockRejectedValueOnce(new TypeError('network')).mockResolvedValueOnce(answer);
    const { want, known } = useChanges();
    want(['1']);
    await flushPromises();
    expect(known.get('1')).toBe('failed');
    want(['1']);
    await flushPromises();
    expect(known.get('1')).toEqual(answer);
  });

  it('are forgotten when a backup went, but not when one came', async () => {
    const answer = { status: 'success', backup_id: '', before: null, datasets: {} };
    vi.spyOn(api, 'changes').mockResolvedValue(answer);
    const { want, known } = useChanges();
    const { refresh } = useBackups();
    const listed = (...ids: string[]) => vi.spyOn(api, 'backups').mockResolvedValueOnce(listOf(...ids));
    listed('20250920_143022', '20250919_143022');
    await refresh();
    want(['20250920_143022']);
    await flushPromises();
    listed('20250921_143022', '20250920_143022', '20250919_143022');
    await refresh();
    expect(known.has('20250920_143022')).toBe(true);
    listed('20250921_143022', '20250920_143022');
    await refresh();
    expect(known.has('20250920_143022')).toBe(false);
  });
});

describe('the list of backups', () => {
  it('stays as it was when it cannot be read anew', async () => {
    const { refresh, backups, problem } = useBackups();
    vi.spyOn(api, 'backups').mockResolvedValueOnce(listOf('20250920_143022')).mockRejectedValueOnce(new TypeError('network'));
    await refresh();
    await refresh();
    expect(backups.value).toHaveLength(1);
    expect(problem.value?.code).toBe('no_answer');
  });

  it('is read again when it was on its way while something changed', async () => {
    const { refresh, put, backups } = useBackups();
    vi.spyOn(api, 'backups').mockResolvedValueOnce(listOf('20250920_143022')).mockResolvedValueOnce(listOf('20250921_143022'));
    const read = refresh();
    put(backup('20250920_143022', { pinned: true }));
    await read;
    expect(backups.value?.[0]?.backup_id).toBe('20250921_143022');
  });
});

describe('picked backups', () => {
  it('are two at most, the latest two', () => {
    const { picked, toggle, clear } = usePicked();
    ['a', 'b', 'c'].forEach(toggle);
    expect(picked.value).toEqual(['b', 'c']);
    toggle('b');
    expect(picked.value).toEqual(['c']);
    clear();
    expect(picked.value).toEqual([]);
  });
});
