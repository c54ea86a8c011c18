/** Changed rows as they are filtered. */
import type { ChangeKind, Dataset, RowChange } from '@/services/types';

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

/** Whether a row changed in volatile columns alone. */
export function isTouch(change: RowChange, volatile: string[]): boolean {
  return change.kind === 'changed' && change.cells.every((cell) => volatile.includes(cell.column));
}

function holds(change: RowChange, word: string): boolean {
  if (change.key.toLowerCase().includes(word)) return true;
  return change.cells.some((cell) => `${cell.old ?? ''} ${cell.new ?? ''}`.toLowerCase().includes(word));
}

export function matchingChanges(changes: RowChange[], filter: ChangeFilter, volatile: string[]): RowChange[] {
  const sought = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return changes.filter((change) => {
    if (filter.dataset && change.dataset !== filter.dataset) return false;
    if (!filter.kinds.includes(change.kind)) return false;
    if (!filter.touched && isTouch(change, volatile)) return false;
    return sought.every((word) => holds(change, word));
  });
}

/** A row's identity within a report. */
export function keyOf(change: RowChange): string {
  return `${change.dataset} ${change.table} ${change.key} ${change.kind}`;
}
