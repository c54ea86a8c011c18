/** A comparison: of two backups at once, with live as a job that tells how far it is. */
import { computed } from 'vue';
import { api, jobs } from '@/services/api';
import type { DiffReport } from '@/services/types';
import { useRequest } from './useRequest';
import { useTask } from './useTask';

/** The rows are asked for page by page. */
const NONE = 0;

export function useCompare() {
  const stored = useRequest(api.diff);
  const live = useTask<DiffReport>();

  async function look(from: string, to: string): Promise<void> {
    stored.data.value = null;
    stored.problem.value = null;
    live.forget();
    if (from === 'live' || to === 'live') await live.run(() => jobs.diff(from, to, NONE));
    else await stored.run(from, to, NONE);
  }

  return {
    look,
    report: computed(() => stored.data.value ?? live.result.value),
    problem: computed(() => stored.problem.value ?? live.problem.value),
    busy: computed(() => stored.loading.value || live.busy.value),
    job: live.job,
  };
}
