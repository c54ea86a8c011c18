/** The one sentence of truth: is the address plan protected, and if not, what mends it. */
import type { Backup, Health, Schedule } from '@/services/types';
import { isVerified } from './backup';
import { counted } from './format';
import { ago, instant, span, until } from './time';

export type Level = 'good' | 'notice' | 'bad' | 'working' | 'unknown';
export type Mend = 'back-up' | 'verify' | 'clean-up' | 'retry' | 'show-damaged' | 'give-token';

export interface Verdict {
  level: Level;
  word: string;
  sentence: string;
  mend: Mend | null;
}

export interface Known {
  /** Null until they were read. */
  backups: Backup[] | null;
  unreadable: number;
  schedule: Schedule | null;
  health: Health | null;
  /** Why the service does not answer; null if it does. */
  silence: { status: number; detail: string } | null;
  now: Date;
}

/** A scheduled run that is this late does not come by itself. */
const LATE_SECONDS = 600;
/** Without a schedule, a day without a backup is worth a word. */
const STALE_SECONDS = 86_400;

function nextRun(schedule: Schedule | null): Date | null {
  const times = (schedule?.schedules ?? []).flatMap(({ next_at }) => (next_at ? [instant(next_at).getTime()] : []));
  return times.length > 0 ? new Date(Math.min(...times)) : null;
}

function bad(sentence: string, mend: Mend, word = 'Not protected.'): Verdict {
  return { level: 'bad', word, sentence, mend };
}

function unreachable(silence: NonNullable<Known['silence']>): Verdict {
  if (silence.status === 401) {
    return { level: 'unknown', word: 'Sign in.', sentence: 'This service needs a token.', mend: 'give-token' };
  }
  return bad(silence.detail, 'retry', 'Service unreachable.');
}

/** The last scheduled run failed, and no backup was made since. */
function failedRun(known: Known, newest: Backup | undefined): Verdict | null {
  const run = known.schedule?.last_run;
  if (!run || run.outcome === 'succeeded') return null;
  if (newest && instant(newest.created_at) > instant(run.at)) return null;
  const why = run.detail ? `: ${run.detail}` : '';
  return bad(`The scheduled backup ${ago(instant(run.at), known.now)} failed${why}.`, 'back-up');
}

/** What keeps a next backup from being made, or the newest from being of use. */
function danger(known: Known, newest: Backup | undefined): Verdict | null {
  const checks = known.health?.checks;
  if (checks && !checks.store.ok) return bad(`The store cannot be used: ${checks.store.detail}.`, 'retry');
  if (!newest) return bad('There is no backup yet. Make the first one; it takes seconds.', 'back-up');
  const last = `The last backup was made ${ago(instant(newest.created_at), known.now)}`;
  if (newest.status === 'corrupt') return bad(`${last}, and it is damaged. A new one heals what it can.`, 'back-up');
  if (checks && !checks.database.ok) return bad(`${last}; the database is out of reach now.`, 'retry', 'At risk.');
  const failed = failedRun(known, newest);
  if (failed) return failed;
  const next = nextRun(known.schedule);
  const late = next ? (known.now.getTime() - next.getTime()) / 1000 : 0;
  return late > LATE_SECONDS ? bad(`${last}, and the scheduled one is ${span(late)} late.`, 'back-up', 'At risk.') : null;
}

function notice(known: Known, newest: Backup): Verdict | null {
  const damaged = (known.backups ?? []).filter((backup) => backup.status === 'corrupt').length + known.unreadable;
  const say = (sentence: string, mend: Mend): Verdict => ({ level: 'notice', word: 'Protected, but', sentence, mend });
  if (damaged > 0) {
    const are = damaged === 1 ? 'is' : 'are';
    return say(`${counted(damaged, 'backup')} ${are} damaged. The last one, ${ago(instant(newest.created_at), known.now)}, is not.`, 'show-damaged');
  }
  const disk = known.health?.checks.disk;
  if (disk && !disk.ok) return say(`the disk is nearly full: ${disk.detail}.`, 'clean-up');
  const age = (known.now.getTime() - instant(newest.created_at).getTime()) / 1000;
  const unscheduled = known.schedule !== null && known.schedule.schedules.length === 0;
  if (unscheduled && age > STALE_SECONDS) {
    return say(`the last backup is ${span(age)} old, and none is scheduled.`, 'back-up');
  }
  return null;
}

function good(known: Known, newest: Backup): Verdict {
  const verified = isVerified(newest);
  const next = nextRun(known.schedule);
  const coming = next ? `next ${until(next, known.now)}` : 'none is scheduled';
  const last = `Last backup ${ago(instant(newest.created_at), known.now)}`;
  const sentence = `${last}, ${verified ? 'verified' : 'not verified yet'}${known.schedule ? `; ${coming}` : ''}.`;
  return { level: 'good', word: 'Protected.', sentence, mend: verified ? null : 'verify' };
}

export function verdict(known: Known): Verdict {
  if (known.silence) return unreachable(known.silence);
  if (known.backups === null) return { level: 'unknown', word: 'Looking …', sentence: '', mend: null };
  const newest = known.backups[0];
  const found = danger(known, newest);
  if (found || !newest) return found ?? bad('There is no backup yet.', 'back-up');
  return notice(known, newest) ?? good(known, newest);
}
