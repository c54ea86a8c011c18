/** The rows that a search in a kept comparison finds: as many as there are, each page once it is looked at. */
import { computed, shallowRef, watch, type Ref } from 'vue';
import { api } from '@/services/api';
import { asProblem } from '@/services/problem';
import type { Counts, FoundChange, FoundQuery, PerDataset, Problem } from '@/services/types';

const PAGE = 200;

export function useFoundRows(comparison: Ref<string | null>, query: Ref<FoundQuery | null>) {
  const rows = shallowRef<(FoundChange | undefined)[]>([]);
  const counts = shallowRef<PerDataset<Counts>>({});
  const problem = shallowRef<Problem | null>(null);
  const loading = shallowRef(false);
  const total = computed(() => rows.value.length);
  let asked = new Set<number>();
  let newest = 0;

  async function load(page: number): Promise<void> {
    const [id, sought, own] = [comparison.value, query.value, newest];
    if (!id || !sought || asked.has(page)) return;
    asked.add(page);
    loading.value = page === 0;
    try {
      const found = await api.found(id, { ...sought, offset: page * PAGE, limit: PAGE });
      if (own !== newest) return;
      const all = page === 0 ? Array.from<FoundChange | undefined>({ length: found.total }) : rows.value.slice();
      found.changes.forEach((change, place) => { all[page * PAGE + place] = change; });
      [rows.value, counts.value, problem.value] = [all, found.datasets, null];
    } catch (error) {
      if (own !== newest) return;
      asked.delete(page);
      problem.value = asProblem(error);
    } finally {
      if (own === newest) loading.value = false;
    }
  }

  /** Whether there is nothing to ask for: then nothing is found. */
  function restart(): void {
    newest += 1;
    asked = new Set();
    if (!comparison.value || !query.value) [rows.value, counts.value, loading.value] = [[], {}, false];
    else void load(0);
  }
  watch([comparison, query], restart, { immediate: true });

  /** These places are on show. */
  function show(first: number, last: number): void {
    for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page += 1) void load(page);
  }

  return { rows, total, counts, problem, loading, show, restart };
}
