/** What a restore would change, of the choice as it is: asked for anew whenever that changes, or the live rows may have. */
import { useDebounceFn } from '@vueuse/core';
import { computed, onBeforeUnmount, shallowRef, type Ref } from 'vue';
import type { RestoreChoice } from '@/model/command';
import { jobs } from '@/services/api';
import type { Job, Preview, PreviewQuery } from '@/services/types';
import { useJobs } from './useJobs';
import { useTask } from './useTask';

/** The rows are asked for page by page. */
const NONE = 0;
/** Jobs that write to the database. */
const WRITES: Job['kind'][] = ['restore'];

function asQuery(choice: RestoreChoice): PreviewQuery {
  return { dataset: choice.datasets.join(',') || undefined, vrf: choice.vrf.trim() || undefined, merge: choice.merge || undefined, allow_schema_drift: choice.drift || undefined };
}

/** What was previewed, and the state of the live rows that it was. */
export interface Previewed {
  query: PreviewQuery;
  fingerprint: string;
}

export function usePreview(id: string, choice: Ref<RestoreChoice>) {
  const preview = useTask<Preview>();
  const { onOver } = useJobs();
  const seen = shallowRef<Previewed | null>(null);

  async function look(): Promise<void> {
    const query = asQuery(choice.value);
    seen.value = null;
    const found = await preview.run(() => jobs.preview(id, { ...query, limit: NONE }));
    if (found) seen.value = { query, fingerprint: found.fingerprint };
  }

  /** What may be restored: what was previewed, as long as it is still what is chosen. */
  const previewed = computed(() => (JSON.stringify(seen.value?.query) === JSON.stringify(asQuery(choice.value)) ? seen.value : null));

  /** Another restore has changed the live rows: what was previewed holds no more. */
  function lookAgain(job: Job): void {
    if (WRITES.includes(job.kind) && job.state !== 'cancelled' && preview.job.value) void look();
  }
  onOver.add(lookAgain);
  onBeforeUnmount(() => onOver.delete(lookAgain));

  return { preview, previewed, look, lookSoon: useDebounceFn(look, 400) };
}
