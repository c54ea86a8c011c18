/** Changed rows as they are searched. */
import type { ChangeKind, Dataset, FoundChange, FoundQuery, NetworkTree } from '@/services/types';

export const SIGNS: Record<ChangeKind, string> = { added: '+', changed: '~', removed: '−' };
export const KINDS: ChangeKind[] = ['added', 'changed', 'removed'];

/** What a comparison goes from and to: a backup's id, or live. */
export interface Points {
  from: string;
  to: string;
}

export interface ChangeFilter {
  text: string;
  dataset: Dataset | null;
  kinds: ChangeKind[];
  touched: boolean;
}

export const ALL_CHANGES: ChangeFilter = { text: '', dataset: null, kinds: KINDS, touched: false };

/** The filter as the service takes it; null where nothing can pass it. */
export function asFoundQuery({ text, dataset, kinds, touched }: ChangeFilter): FoundQuery | null {
  if (kinds.length === 0) return null;
  return {
    q: text.trim() || undefined,
    dataset: dataset ?? undefined,
    kind: kinds.length < KINDS.length ? kinds.join(',') : undefined,
    touched: touched ? undefined : false,
  };
}

/** A row's identity within a report. */
export function keyOf(change: FoundChange): string {
  return `${change.dataset} ${change.table} ${change.key} ${change.kind}`;
}

/** What people know a row by: its network and group, or the first column that tells it apart. Empty where its key does. */
export function nameOf(change: FoundChange, tree: NetworkTree | null | undefined, columns: string[]): { name: string; group: string } {
  const { identity, table, key } = change;
  const isNetwork = table === tree?.table;
  if (isNetwork) return { name: identity[tree.network] ?? '', group: identity[tree.group] ?? '' };
  const isTelling = Object.values(identity).includes(key);
  return { name: isTelling ? '' : (columns.map((column) => identity[column]).find(Boolean) ?? ''), group: '' };
}
