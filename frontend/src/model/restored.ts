/** What a restore put back, in words. */
import type { OtherRows, PerDataset, Profile, RestoreCounts, Restored } from '@/services/types';
import { asCounts, rowsOf } from './dataset';
import { counted, listed } from './format';

/** "41 rows of VRFs and Prefixes": of a part that was restored nothing more is said than that. */
export function putBack({ restore_results: results }: Restored, profile: Profile): string {
  const changed = profile.datasets.flatMap(({ name, label }) => {
    const counts = (results as PerDataset<RestoreCounts>)[name];
    const rows = counts ? rowsOf(asCounts(counts)) : 0;
    return rows > 0 ? [{ name: label, rows }] : [];
  });
  if (changed.length === 0) return 'no row differed';
  const rows = changed.reduce((sum, one) => sum + one.rows, 0);
  return `${counted(rows, 'row')} of ${listed(changed.map((one) => one.name))}`;
}

/** What is done to rows of a table that is not backed up: the same words before and after. */
export function otherRows({ table, removed, inserted }: OtherRows): string {
  const gone = removed > 0 ? [`${counted(removed, 'record')} of ${table} removed, answers to requests whose rows are undone; the safety backup keeps them`] : [];
  const back = inserted > 0 ? [`${counted(inserted, 'record')} of ${table} brought back`] : [];
  return `Beside the rows: ${listed([...gone, ...back])}.`;
}
