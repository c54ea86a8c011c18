/** Counts of rows, by dataset. */
import type { Counts, PerDataset, RestoreCounts } from '@/services/types';

export const NO_CHANGE: Counts = { added: 0, changed: 0, touched: 0, removed: 0 };

export function total(datasets: PerDataset<Counts>): Counts {
  const sum = { ...NO_CHANGE };
  for (const counts of Object.values(datasets)) {
    sum.added += counts.added;
    sum.changed += counts.changed;
    sum.touched += counts.touched;
    sum.removed += counts.removed;
  }
  return sum;
}

export function rowsOf(counts: Counts): number {
  return counts.added + counts.changed + counts.removed;
}

/** What a restore does, in the words of a comparison from live to the backup. */
export function asCounts(restore: RestoreCounts): Counts {
  return { added: restore.inserted, changed: restore.updated, touched: 0, removed: restore.deleted };
}
