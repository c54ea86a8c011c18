/** The last restore of the past day that succeeded, and the backup that undoes it. */
import { computed, watch } from 'vue';
import { putBack } from '@/model/restored';
import { instant } from '@/model/time';
import { api } from '@/services/api';
import type { Restored } from '@/services/types';
import { useBackups } from './useBackups';
import { useClock } from './useClock';
import { useJobs } from './useJobs';
import { useProfile } from './useProfile';
import { useRequest } from './useRequest';

const DAY = 86_400_000;

export function useLastRestore() {
  const { jobs } = useJobs();
  const { backups } = useBackups();
  const { now } = useClock();
  const { profile } = useProfile();

  const job = computed(() =>
    jobs.value.find(({ kind, state, finished_at }) => {
      if (kind !== 'restore' || state !== 'succeeded' || !finished_at) return false;
      return now.value.getTime() - instant(finished_at).getTime() < DAY;
    }),
  );
  /** The safety backup was made while the restore ran. */
  const safety = computed(() => {
    const { started_at, finished_at } = job.value ?? {};
    if (!started_at || !finished_at) return null;
    const [from, to] = [instant(started_at), instant(finished_at)];
    const made = (backups.value ?? []).find((backup) => {
      const at = instant(backup.created_at);
      return backup.backup_type === 'pre-restore' && at >= from && at <= to;
    });
    return made?.backup_id ?? null;
  });
  /** Lists of jobs come without what they did. */
  const { data, run } = useRequest(api.job);
  watch(() => job.value?.job_id, (id) => { if (id) void run(id); }, { immediate: true });
  const what = computed(() => {
    const known = data.value?.job_id === job.value?.job_id ? data.value?.result : null;
    return known ? putBack(known as Restored, profile.value) : '';
  });
  return { job, safety, what };
}
