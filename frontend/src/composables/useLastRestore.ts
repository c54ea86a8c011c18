/** The last restore of the past day that succeeded, and the backup that undoes it. */
import { computed, shallowRef, watch } from 'vue';
import { instant } from '@/model/time';
import { api } from '@/services/api';
import type { Restored } from '@/services/types';
import { useBackups } from './useBackups';
import { useClock } from './useClock';
import { useJobs } from './useJobs';

const DAY = 86_400_000;

export function useLastRestore() {
  const { jobs } = useJobs();
  const { byId } = useBackups();
  const { now } = useClock();
  const restored = shallowRef<Restored | null>(null);

  const job = computed(() =>
    jobs.value.find(({ kind, state, finished_at }) => {
      if (kind !== 'restore' || state !== 'succeeded' || !finished_at) return false;
      return now.value.getTime() - instant(finished_at).getTime() < DAY;
    }),
  );
  watch(() => job.value?.job_id, async (id) => {
    restored.value = null;
    const whole = id ? await api.job(id).catch(() => null) : null;
    if (id === job.value?.job_id) restored.value = (whole?.result as Restored | undefined) ?? null;
  }, { immediate: true });

  const safety = computed(() => {
    const id = restored.value?.restore_results.safety_backup;
    return id && byId.value.has(id) ? id : null;
  });
  return { job, safety };
}
