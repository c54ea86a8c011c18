/** A restore from its preview to its end: the preview is asked for anew whenever the choice changes. */
import { useDebounceFn } from '@vueuse/core';
import { computed, ref, watch } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import type { RestoreChoice } from '@/model/command';
import { isOver } from '@/model/job';
import { api, jobs } from '@/services/api';
import { asProblem } from '@/services/problem';
import type { Job, Preview, PreviewQuery, Restored } from '@/services/types';
import { useJobs } from './useJobs';
import { useTask } from './useTask';

/** Rows of each dataset that the service lists at most. */
const MOST = 1000;

function asQuery(choice: RestoreChoice): PreviewQuery {
  return { dataset: choice.datasets.join(',') || undefined, vrf: choice.vrf.trim() || undefined };
}

export function useRestore(id: string) {
  const route = useRoute();
  const router = useRouter();
  const { find, jobs: known } = useJobs();
  const preview = useTask<Preview>();
  const restore = useTask<Restored>();
  const choice = ref<RestoreChoice>({ datasets: [], vrf: '', safety: true });

  const look = () => preview.run(() => jobs.preview(id, { ...asQuery(choice.value), limit: MOST }));
  const lookSoon = useDebounceFn(look, 400);

  /** The restore that this page is about: the one in the address, or one that is running anyway. */
  const jobId = computed(() => {
    if (typeof route.query.job === 'string') return route.query.job;
    return known.value.find((job) => job.kind === 'restore' && job.target === id && !isOver(job))?.job_id ?? null;
  });

  async function followed(jobId: string): Promise<Job> {
    return find(jobId) ?? api.job(jobId);
  }

  watch(jobId, (now) => {
    if (now && restore.job.value?.job_id !== now) void restore.run(() => followed(now));
  }, { immediate: true });

  async function begin(): Promise<void> {
    await restore.run(async () => {
      const job = await jobs.restore(id, { ...asQuery(choice.value), safety_backup: choice.value.safety });
      void router.replace({ query: { job: job.job_id } });
      return job;
    });
  }

  /** Back from a restore that is over to the question. */
  function again(): void {
    restore.forget();
    void router.replace({ query: {} });
    void look();
  }

  async function cancel(): Promise<void> {
    const job = restore.job.value;
    if (job) await jobs.cancel(job.job_id).catch((error: unknown) => { restore.problem.value = asProblem(error); });
  }

  return { preview, restore, choice, jobId, look, lookSoon, begin, again, cancel };
}
