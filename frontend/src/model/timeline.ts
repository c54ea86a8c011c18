/** The timeline: which backups are shown, and on which day each stands. */
import type { Backup } from '@/services/types';
import { marksOf, triggerOf, type Mark, type Trigger } from './backup';
import { dayKey, instant, type Zone } from './time';

export interface Filter {
  text: string;
  triggers: Trigger[];
  marks: Mark[];
  /** A day's key; null for all days. */
  day: string | null;
}

export const EVERYTHING: Filter = { text: '', triggers: [], marks: [], day: null };

export type Line =
  | { kind: 'day'; key: string; day: string; backups: number }
  | { kind: 'run'; key: string; backups: Backup[] }
  | { kind: 'backup'; key: string; backup: Backup };

export function isFiltered(filter: Filter): boolean {
  return filter.text.trim() !== '' || filter.triggers.length + filter.marks.length > 0 || filter.day !== null;
}

function words(backup: Backup): string {
  const labels = Object.entries(backup.labels).flat();
  return [backup.backup_id, backup.description, backup.created_by, ...labels].join(' ').toLowerCase();
}

/** Every word that is typed must be found; a trigger and a mark are each one of those chosen. */
export function matching(backups: Backup[], filter: Filter, zone: Zone): Backup[] {
  const sought = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return backups.filter((backup) => {
    if (filter.day && dayKey(instant(backup.created_at), zone) !== filter.day) return false;
    if (filter.triggers.length > 0 && !filter.triggers.includes(triggerOf(backup))) return false;
    const marks = marksOf(backup);
    if (filter.marks.length > 0 && !filter.marks.some((mark) => marks.includes(mark))) return false;
    const text = sought.length > 0 ? words(backup) : '';
    return sought.every((word) => text.includes(word));
  });
}

/** So many automatic backups in a row are one line. */
const RUN = 3;

/** Whether the program made it by itself, and nobody has shown an interest in it since. */
function isOfNoInterest(backup: Backup): boolean {
  return backup.automatic && !backup.pinned && !backup.restore_tested && backup.status === 'completed' && Object.keys(backup.labels).length === 0;
}

/** Folds runs of automatic backups into a line each, unless one of them is to be seen. */
function folded(found: Line[], isSeen: (key: string, backups: Backup[]) => boolean): Line[] {
  const out: Line[] = [];
  let run: Extract<Line, { kind: 'backup' }>[] = [];
  const end = () => {
    const backups = run.map((line) => line.backup);
    // Named by its oldest backup: newer ones join it.
    const key = `run ${run.at(-1)?.key ?? ''}`;
    if (run.length >= RUN && !isSeen(key, backups)) out.push({ kind: 'run', key, backups });
    else out.push(...run);
    run = [];
  };
  for (const line of found) {
    if (line.kind === 'backup' && isOfNoInterest(line.backup)) { run.push(line); continue; }
    end();
    out.push(line);
  }
  end();
  return out;
}

/** The backups, newest first, with a line before each day; runs of automatic ones are folded but for those that are seen. */
export function lines(backups: Backup[], zone: Zone, isSeen: (key: string, backups: Backup[]) => boolean = () => true): Line[] {
  const found: Line[] = [];
  let open: Extract<Line, { kind: 'day' }> | undefined;
  for (const backup of backups) {
    const day = dayKey(instant(backup.created_at), zone);
    if (open?.day !== day) {
      open = { kind: 'day', key: `day ${day}`, day, backups: 0 };
      found.push(open);
    }
    open.backups += 1;
    found.push({ kind: 'backup', key: backup.backup_id, backup });
  }
  return folded(found, isSeen);
}
