/** What each backup changed against the one before it; asked for only where somebody looks. */
import { shallowReactive, watch } from 'vue';
import { api } from '@/services/api';
import { asProblem } from '@/services/problem';
import type { BackupChanges } from '@/services/types';
import { useBackups } from './useBackups';

/** What failed may go well the next time; what cannot be compared stays so. */
export type Known = BackupChanges | 'incomparable' | 'failed';

const AT_ONCE = 4;
const known = shallowReactive(new Map<string, Known>());
let asked = new Set<string>();
let wanted: string[] = [];
let underWay = 0;

function why(error: unknown): Known {
  return asProblem(error).code === 'schema_mismatch' ? 'incomparable' : 'failed';
}

async function ask(id: string): Promise<void> {
  const own = asked;
  own.add(id);
  underWay += 1;
  const answer = await api.changes(id).catch(why);
  underWay -= 1;
  own.delete(id);
  // Since then another one may have come before it.
  if (own === asked) known.set(id, answer);
  next();
}

function isOpen(id: string): boolean {
  return !asked.has(id) && (known.get(id) ?? 'failed') === 'failed';
}

function next(): void {
  while (underWay < AT_ONCE) {
    const id = wanted.shift();
    if (id === undefined) return;
    if (isOpen(id)) void ask(id);
  }
}

/** These are on show now. What was on show before and is not yet asked for is not asked for. */
function want(ids: string[]): void {
  wanted = ids.filter(isOpen);
  next();
}

function forget(): void {
  known.clear();
  asked = new Set();
}

// Where more happened than that new ones came, some backup has another one before it.
watch(useBackups().present, (now, before) => {
  if (before !== null && !now?.endsWith(before)) forget();
}, { flush: 'sync' });

export function useChanges() {
  return { known, want, forget };
}
