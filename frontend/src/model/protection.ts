/** The one verdict of the service, and the button that mends what it names. */
import type { Health, Protection } from '@/services/types';

export type Level = Protection['level'] | 'working' | 'unknown';
export type Mend = 'back-up' | 'verify' | 'clean-up' | 'retry' | 'show-damaged' | 'give-token';

export interface Verdict {
  level: Level;
  word: string;
  sentence: string;
  mend: Mend | null;
}

export interface Known {
  /** Null until it was read. */
  health: Health | null;
  /** Why the latest scheduled backup failed, for those who may know. */
  failure: string | null;
  /** Why the service does not answer; null if it does. */
  silence: { code: string; detail: string } | null;
  /** Whether what is known was true just now: the service tells of every change, or has answered since it stopped to. */
  current: boolean;
}

const MENDS: Partial<Record<Protection['cause'], Mend>> = {
  not_verified: 'verify',
  no_backup: 'back-up',
  store_unusable: 'retry',
  newest_damaged: 'back-up',
  database_unreachable: 'retry',
  scheduled_backup_failed: 'back-up',
  overdue: 'back-up',
  older_damaged: 'show-damaged',
  disk_filling: 'clean-up',
  retention_stuck: 'clean-up',
  live_differs: 'back-up',
  stale: 'back-up',
};

export function verdict({ health, failure, silence, current }: Known): Verdict {
  if (silence?.code === 'unauthenticated') return { level: 'unknown', word: 'Sign in.', sentence: 'This service needs a token.', mend: 'give-token' };
  if (silence) return { level: 'unknown', word: 'Service unreachable.', sentence: silence.detail, mend: 'retry' };
  if (!health) return { level: 'unknown', word: 'Looking …', sentence: '', mend: null };
  if (!current) return { level: 'unknown', word: 'Connection lost.', sentence: 'Whether the plan is protected is not known until the service answers.', mend: 'retry' };
  const { level, cause, word, sentence } = health.protection;
  const why = cause === 'scheduled_backup_failed' && failure ? `${sentence.replace(/\.$/, '')}: ${failure}.` : sentence;
  return { level, word, sentence: why, mend: MENDS[cause] ?? null };
}
