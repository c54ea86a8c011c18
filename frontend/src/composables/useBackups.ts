/** All backups, newest first. One list for the whole page. */
import { computed, shallowRef } from 'vue';
import { api } from '@/services/api';
import { asProblem } from '@/services/problem';
import type { Backup, Problem } from '@/services/types';

const backups = shallowRef<Backup[] | null>(null);
const unreadable = shallowRef<string[]>([]);
const problem = shallowRef<Problem | null>(null);
const byId = computed(() => new Map((backups.value ?? []).map((backup) => [backup.backup_id, backup])));
let underWay: Promise<void> | null = null;

async function read(): Promise<void> {
  try {
    const list = await api.backups();
    backups.value = list.backups;
    unreadable.value = list.unreadable ?? [];
    problem.value = null;
  } catch (error) {
    problem.value = asProblem(error);
  }
}

/** Reads the list anew; calls that come meanwhile share the answer. */
function refresh(): Promise<void> {
  underWay ??= read().finally(() => { underWay = null; });
  return underWay;
}

/** Takes what a change of one backup answered, without reading the whole list. */
function put(changed: Backup): void {
  const list = backups.value ?? [];
  backups.value = list.map((backup) => (backup.backup_id === changed.backup_id ? { ...backup, ...changed } : backup));
}

export function useBackups() {
  return { backups, unreadable, problem, byId, refresh, put };
}
