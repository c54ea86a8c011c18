/** What a restore would change, of the choice as it is: asked for anew whenever that changes. */
import { useDebounceFn } from '@vueuse/core';
import { computed, shallowRef, type Ref } from 'vue';
import type { RestoreChoice } from '@/model/command';
import { jobs } from '@/services/api';
import type { Preview, PreviewQuery } from '@/services/types';
import { useTask } from './useTask';

/** Rows of each dataset that the service lists at most. */
const MOST = 1000;

function asQuery(choice: RestoreChoice): PreviewQuery {
  return { dataset: choice.datasets.join(',') || undefined, vrf: choice.vrf.trim() || undefined, merge: choice.merge || undefined, allow_schema_drift: choice.drift || undefined };
}

export function usePreview(id: string, choice: Ref<RestoreChoice>) {
  const preview = useTask<Preview>();
  /** What the preview on show was asked with. */
  const seen = shallowRef<PreviewQuery | null>(null);

  async function look(): Promise<void> {
    const query = asQuery(choice.value);
    seen.value = null;
    if (await preview.run(() => jobs.preview(id, { ...query, limit: MOST }))) seen.value = query;
  }

  /** What may be restored: what was previewed, as long as it is still what is chosen. */
  const previewed = computed(() => (JSON.stringify(seen.value) === JSON.stringify(asQuery(choice.value)) ? seen.value : null));

  return { preview, previewed, look, lookSoon: useDebounceFn(look, 400) };
}
