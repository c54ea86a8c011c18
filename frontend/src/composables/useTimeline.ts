/** The timeline as it is filtered; the filter lives in the address, so that it can be shared. */
import { computed, ref } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import { MARK_NAMES, TRIGGER_NAMES, type Mark, type Trigger } from '@/model/backup';
import { isFiltered, lines, matching, type Filter } from '@/model/timeline';
import { useBackups } from './useBackups';
import { useClock } from './useClock';

function words(value: unknown): string[] {
  return typeof value === 'string' && value !== '' ? value.split(',') : [];
}

export function useTimeline() {
  const route = useRoute();
  const router = useRouter();
  const { backups } = useBackups();
  const { zone } = useClock();

  const filter = computed<Filter>({
    get: () => ({
      text: typeof route.query.q === 'string' ? route.query.q : '',
      triggers: words(route.query.triggers).filter((word): word is Trigger => word in TRIGGER_NAMES),
      marks: words(route.query.marks).filter((word): word is Mark => word in MARK_NAMES),
      day: typeof route.query.day === 'string' ? route.query.day : null,
    }),
    set(next) {
      const query = {
        q: next.text || undefined,
        triggers: next.triggers.join(',') || undefined,
        marks: next.marks.join(',') || undefined,
        day: next.day ?? undefined,
      };
      void router.replace({ name: route.name ?? 'timeline', params: route.params, query });
    },
  });

  const found = computed(() => matching(backups.value ?? [], filter.value, zone.value));
  /** Runs of automatic backups that somebody wants to see. */
  const unfolded = ref(new Set<string>());
  const shown = computed(() => {
    const all = isFiltered(filter.value);
    const opened = route.params.id;
    return lines(found.value, zone.value, (key, run) => all || unfolded.value.has(key) || run.some((backup) => backup.backup_id === opened));
  });
  function unfold(key: string): void {
    unfolded.value.add(key);
  }

  /** Opens a backup's details, or closes them. */
  function open(id: string | null): void {
    const place = id === null ? { name: 'timeline' } : { name: 'backup', params: { id } };
    void router.push({ ...place, query: route.query });
  }

  return { filter, found, shown, open, unfold };
}
