/** What each backup changed against the one before it; asked for only where somebody looks. */
import { shallowReactive } from 'vue';
import { api } from '@/services/api';
import type { BackupChanges } from '@/services/types';

export type Known = BackupChanges | 'asked' | 'unknown';

const AT_ONCE = 4;
const known = shallowReactive(new Map<string, Known>());
let wanted: string[] = [];
let underWay = 0;

async function ask(id: string): Promise<void> {
  underWay += 1;
  known.set(id, 'asked');
  known.set(id, await api.changes(id).catch(() => 'unknown' as const));
  underWay -= 1;
  next();
}

function next(): void {
  while (underWay < AT_ONCE) {
    const id = wanted.shift();
    if (id === undefined) return;
    if (!known.has(id)) void ask(id);
  }
}

/** These are on show now. What was on show before and is not yet asked for is not asked for. */
function want(ids: string[]): void {
  wanted = ids.filter((id) => !known.has(id));
  next();
}

/** A backup went: the one after it now has another one before it. */
function forget(): void {
  known.clear();
}

export function useChanges() {
  return { known, want, forget };
}
