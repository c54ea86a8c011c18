/** All backups, newest first. One list for the whole page. */
import { computed, shallowRef, watch } from 'vue';
import { api } from '@/services/api';
import { asProblem } from '@/services/problem';
import type { Backup, BackupList, Problem } from '@/services/types';

const backups = shallowRef<Backup[] | null>(null);
const unreadable = shallowRef<string[]>([]);
const problem = shallowRef<Problem | null>(null);
const byId = computed(() => new Map((backups.value ?? []).map((backup) => [backup.backup_id, backup])));
/** Which backups there are, in one word: it changes when one comes or goes. Null until they were read. */
const present = computed(() => backups.value?.map((backup) => backup.backup_id).join(' ') ?? null);
let underWay: Promise<void> | null = null;
let outdated = false;

/** The list, read again if something changed while it was on its way. */
async function newest(): Promise<BackupList> {
  outdated = false;
  const list = await api.backups();
  return outdated ? newest() : list;
}

async function read(): Promise<void> {
  try {
    const list = await newest();
    backups.value = list.backups;
    unreadable.value = list.unreadable ?? [];
    problem.value = null;
  } catch (error) {
    problem.value = asProblem(error);
  }
}

/** Reads the list anew; calls that come meanwhile share an answer that is not older than they are. */
function refresh(): Promise<void> {
  outdated = true;
  underWay ??= read().finally(() => { underWay = null; });
  return underWay;
}

/** Takes what a change of one backup answered, without reading the whole list. */
function put(changed: Backup): void {
  outdated = true;
  const list = backups.value ?? [];
  backups.value = list.map((backup) => (backup.backup_id === changed.backup_id ? { ...backup, ...changed } : backup));
}

/** Acts whenever backups came or went, for as long as the calling component is there. */
function onComeOrGo(act: () => unknown): void {
  watch(present, (_, before) => { if (before !== null) act(); });
}

export function useBackups() {
  return { backups, unreadable, problem, byId, present, refresh, put, onComeOrGo };
}
