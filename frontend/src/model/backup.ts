/** What a backup's metadata says to people. */
import { counted } from './format';
import { instant, moment, type Zone } from './time';
import type { Backup, Source } from '@/services/types';

export type Trigger = 'manual' | 'scheduled' | 'automatic' | 'pre-restore';

export function triggerOf(backup: Backup): Trigger {
  if (backup.backup_type === 'pre-restore') return 'pre-restore';
  if (backup.automatic) return 'automatic';
  return backup.created_by === 'schedule' ? 'scheduled' : 'manual';
}

export const TRIGGER_NAMES: Record<Trigger, string> = {
  manual: 'Manual',
  scheduled: 'Scheduled',
  automatic: 'On a change',
  'pre-restore': 'Before a restore',
};

/** A description in the page's time zone: one that nobody gave holds a time in UTC. */
export function described(description: string, zone: Zone): string {
  return description.replace(/Backup created on (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)/, (_, day: string, time: string) => `Backup created on ${moment(instant(`${day}T${time}Z`), zone)}`);
}

/** The name of whoever asked. Before, the service called everybody at its own machine otherwise in jobs than in backups. */
export function callerOf(name: string): string {
  return name === 'local' ? 'system' : name;
}

/** A database and its server. */
export function placeOf(source: Source): string {
  return `${source.database} at ${source.server ?? 'a server that is not recorded'}`;
}

export type Mark = 'safety' | 'corrupt' | 'verified' | 'restore-tested' | 'pinned';

export const MARK_NAMES: Record<Mark, string> = {
  safety: 'Safety backup',
  corrupt: 'Damaged',
  verified: 'Verified',
  'restore-tested': 'Restore-tested',
  pinned: 'Pinned',
};

export function isVerified(backup: Backup): boolean {
  return backup.status === 'completed' && backup.verification !== null;
}

export function marksOf(backup: Backup): Mark[] {
  const marks: Mark[] = [];
  if (backup.backup_type === 'pre-restore') marks.push('safety');
  if (backup.status === 'corrupt') marks.push('corrupt');
  if (isVerified(backup)) marks.push('verified');
  if (backup.restore_tested) marks.push('restore-tested');
  if (backup.pinned) marks.push('pinned');
  return marks;
}

/** A label as it is typed: neither sign can be in its name, and its value may hold both. */
export function labelOf(text: string): { name: string; value: string } {
  const [, name = '', value = ''] = /^([^=:]*)[=:]?(.*)$/s.exec(text) ?? [];
  return { name: name.trim(), value: value.trim() };
}

/** How the rows of a backup were read. */
export function readOf(backup: Backup): string {
  const { capture } = backup;
  if (!capture) return 'not recorded';
  const rows = counted(capture.rows_read, 'row');
  if (capture.mode === 'changes') return `${rows} that changed since ${capture.base ?? 'an earlier snapshot'}`;
  return capture.reason ? `all ${rows}, as ${capture.reason}` : `all ${rows}`;
}

export function rowsIn(backup: Backup): number {
  return Object.values(backup.datasets).reduce((sum, dataset) => sum + dataset.rows, 0);
}

/** The latest of these that is no safety backup: that holds what somebody wanted to get away from. */
export function latestOf<B extends Backup>(newestFirst: B[]): B | undefined {
  return newestFirst.find((backup) => backup.backup_type !== 'pre-restore') ?? newestFirst[0];
}

/** The backup that a safety backup was taken before the restore of. */
export function restoredFrom(backup: Backup): string | null {
  const named = /^Before restore of (\d{8}_\d{6})(?:$|: )/.exec(backup.description);
  return backup.backup_type === 'pre-restore' ? (named?.[1] ?? null) : null;
}
