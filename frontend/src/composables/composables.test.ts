import { flushPromises } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { api } from '@/services/api';
import { ServiceError } from '@/services/problem';
import type { Job } from '@/services/types';
import { backup, job } from '@/testing/samples';
import { useBackups } from './useBackups';
import { useChanges } from './useChanges';
import { useJobs } from './useJobs';
import { usePicked } from './usePicked';
import { useRequest } from './useRequest';
import { useTask } from './useTask';

afterEach(() => { vi.restoreAllMocks(); });

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
    vi.spyOn(api, 'job').mockResolvedValue(job('t2', { state: 'failed', problem }));
    const task = useTask();
    expect(await task.run(() => Promise.resolve(job('t2', { state: 'failed' })))).toBeNull();
    expect(task.problem.value).toMatchObject({ code: 'damaged' });
    await task.run(() => Promise.reject(new ServiceError({ ...problem, code: 'busy' })));
    expect(task.problem.value).toMatchObject({ code: 'busy' });
  });

  it('says so when it was cancelled', async () => {
    vi.spyOn(api, 'job').mockResolvedValue(job('t3', { state: 'cancelled' }));
    const task = useTask();
    await task.run(() => Promise.resolve(job('t3', { state: 'cancelled' })));
    expect(task.problem.value?.detail).toBe('It was cancelled; nothing was changed.');
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
    const asked = vi.spyOn(api, 'changes').mockRejectedValue(new TypeError('network'));
    const { want, known } = useChanges();
    want(['1']);
    await flushPromises();
    want(['1']);
    expect(asked).toHaveBeenCalledTimes(1);
    expect(known.get('1')).toBe('unknown');
  });
});

describe('the list of backups', () => {
  it('stays as it was when it cannot be read anew', async () => {
    const { refresh, backups, problem } = useBackups();
    const list = { status: 'success', backups: [{ ...backup('20250920_143022'), backup_path: 'x', age_days: 0 }], count: 1 };
    vi.spyOn(api, 'backups').mockResolvedValueOnce(list).mockRejectedValueOnce(new TypeError('network'));
    await refresh();
    await refresh();
    expect(backups.value).toHaveLength(1);
    expect(problem.value?.code).toBe('no_answer');
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
