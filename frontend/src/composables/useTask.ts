/** One job from its start to its result, for a part of the page that waits for it. */
import { computed, shallowRef } from 'vue';
import { asProblem, ServiceError } from '@/services/problem';
import type { Job, Problem } from '@/services/types';
import { useJobs } from './useJobs';

const ENDED: Partial<Record<Job['state'], string>> = {
  cancelled: 'It was cancelled; nothing was changed.',
  interrupted: 'The service was stopped meanwhile; nothing is half-done.',
};

export function useTask<T>() {
  const { finished, find, take } = useJobs();
  const started = shallowRef<Job | null>(null);
  const result = shallowRef<T | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const job = computed(() => find(started.value?.job_id) ?? started.value);
  const busy = shallowRef(false);
  let newest = 0;

  /** Goes on with a job that is there already. */
  async function follow(begun: Job): Promise<T | null> {
    started.value = begun;
    const over = await finished(begun);
    // Another one was started meanwhile: this one's end is no longer of interest.
    if (started.value?.job_id !== begun.job_id) return null;
    started.value = over;
    if (over.state === 'succeeded') return (result.value = over.result as T);
    const title = over.state === 'cancelled' ? 'Cancelled' : 'It did not come to its end';
    const ended = { title, status: 0, detail: ENDED[over.state] ?? 'It failed.', code: over.state };
    throw new ServiceError(over.state === 'cancelled' ? ended : (over.problem ?? ended));
  }

  function forget(): void {
    [started.value, problem.value, result.value] = [null, null, null];
  }

  async function begin(start: () => Promise<Job>, own: number): Promise<T | null> {
    const begun = await start();
    take(begun);
    return own === newest ? follow(begun) : null;
  }

  /** Starts a job and waits for it; the newest start wins. */
  async function run(start: () => Promise<Job>): Promise<T | null> {
    const own = (newest += 1);
    busy.value = true;
    forget();
    try {
      return await begin(start, own);
    } catch (error) {
      if (own === newest) problem.value = asProblem(error);
      return null;
    } finally {
      if (own === newest) busy.value = false;
    }
  }

  return { job, result, problem, busy, run, forget };
}
