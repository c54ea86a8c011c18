/** A cleanup: what it would take with these rules, and the cleanup with just the rules that were previewed. */
import { useDebounceFn } from '@vueuse/core';
import { computed, watch, type Ref } from 'vue';
import { asQuery, isAge, type Keep } from '@/model/retention';
import { api, jobs } from '@/services/api';
import type { CleanupQuery, CleanupReport } from '@/services/types';
import { useBackups } from './useBackups';
import { useRequest } from './useRequest';
import { useTask } from './useTask';

export function useCleanup(keep: Ref<Keep>) {
  const { onComeOrGo } = useBackups();
  const preview = useRequest(async (query: CleanupQuery) => ({ query, report: await api.cleanup(query) }));
  const cleanup = useTask<CleanupReport>();

  /** What is half typed is not asked for. */
  const makesSense = () => isAge(keep.value.keep_within) && isAge(keep.value.keep_pre_restore);
  const look = async () => { if (makesSense()) await preview.run(asQuery(keep.value)); };
  watch(keep, useDebounceFn(look, 350), { deep: true });
  onComeOrGo(look);

  const report = computed(() => preview.data.value?.report ?? null);
  /** The rules that may be cleaned up by: those of the report on show, as long as they are still the chosen ones. */
  const previewed = computed(() => {
    const query = preview.data.value?.query;
    const isCurrent = JSON.stringify(query) === JSON.stringify(asQuery(keep.value));
    return query && isCurrent && !preview.problem.value && !preview.loading.value ? query : null;
  });

  async function clean(): Promise<CleanupReport | null> {
    const query = previewed.value;
    return query && cleanup.run(() => jobs.cleanup(query));
  }

  return { preview, report, previewed, look, cleanup, clean };
}
