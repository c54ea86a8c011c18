/** A restore from its preview to its end. */
import { computed, ref, shallowRef, watch } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import type { RestoreChoice } from '@/model/command';
import { isOver, type Safety } from '@/model/job';
import { api, jobs } from '@/services/api';
import type { Job, Restored } from '@/services/types';
import { complain } from './useActions';
import { useJobs } from './useJobs';
import { usePreview } from './usePreview';
import { useTask } from './useTask';

export function useRestore(id: string) {
  const route = useRoute();
  const router = useRouter();
  const { find, jobs: known } = useJobs();
  const choice = ref<RestoreChoice>({ datasets: [], vrf: '', safety: true });
  const { preview, previewed, look, lookSoon } = usePreview(id, choice);
  const restore = useTask<Restored>();
  /** Whether the restore that was begun here keeps the state before; of others that is told at their end. */
  const begunSafely = shallowRef<Safety>(null);
  const safety = computed<Safety>(() => (restore.result.value ? restore.result.value.restore_results.safety_backup !== null : begunSafely.value));

  /** The restore that this page is about: the one in the address, or one that is running anyway. */
  const jobId = computed(() => {
    if (typeof route.query.job === 'string') return route.query.job;
    return known.value.find((job) => job.kind === 'restore' && job.target === id && !isOver(job))?.job_id ?? null;
  });

  async function followed(jobId: string): Promise<Job> {
    return find(jobId) ?? api.job(jobId);
  }

  watch(jobId, (now) => {
    if (!now || restore.job.value?.job_id === now) return;
    begunSafely.value = null;
    void restore.run(() => followed(now));
  }, { immediate: true });

  async function begin(intoOther = false): Promise<void> {
    const bound = previewed.value;
    if (!bound) return;
    const safe = choice.value.safety;
    outdated.value = false;
    await restore.run(async () => {
      const job = await jobs.restore(id, { ...bound.query, fingerprint: bound.fingerprint, safety_backup: safe, ...(intoOther ? { into_other_database: true } : {}) });
      begunSafely.value = safe;
      void router.replace({ query: { job: job.job_id } });
      return job;
    });
  }

  /** Whether there is nothing more to learn: it ended without success, or nobody knows of such a job. */
  function isSettled(): boolean {
    const job = restore.job.value;
    if (job) return isOver(job) && job.state !== 'succeeded';
    return [400, 404].includes(restore.problem.value?.status ?? 0);
  }

  /** Whether the restore was refused since the live rows are not those of its preview any more. */
  const outdated = shallowRef(false);
  watch(() => restore.problem.value?.code === 'changed_since_preview', (now) => { if (now) { outdated.value = true; again(); } });

  /** Back from a restore that failed to the question; one whose end is not known is asked after again. */
  function again(): void {
    const now = jobId.value ?? restore.job.value?.job_id;
    if (now && !isSettled()) {
      void restore.run(() => followed(now));
      return;
    }
    restore.forget();
    begunSafely.value = null;
    void router.replace({ query: {} });
    void look();
  }

  async function cancel(): Promise<void> {
    const job = restore.job.value;
    if (job) await jobs.cancel(job.job_id).catch(complain);
  }

  return { preview, previewed, outdated, restore, safety, choice, jobId, look, lookSoon, begin, again, cancel };
}
