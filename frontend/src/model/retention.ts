/** What a cleanup is to keep. */
import type { CleanupQuery, Reason, Retention } from '@/services/types';

export interface Keep {
  keep: number;
  keep_hourly: number;
  keep_daily: number;
  keep_weekly: number;
  keep_monthly: number;
  keep_yearly: number;
  keep_within: string;
  keep_pre_restore: string;
}

/** The documented default: the ten newest, and safety backups for thirty days. */
export const TEN_NEWEST: Keep = { keep: 10, keep_hourly: 0, keep_daily: 0, keep_weekly: 0, keep_monthly: 0, keep_yearly: 0, keep_within: '', keep_pre_restore: '30d' };

export const REASONS: Record<Reason, string> = {
  pinned: 'pinned',
  last: 'one of the newest',
  hourly: 'newest of its hour',
  daily: 'newest of its day',
  weekly: 'newest of its week',
  monthly: 'newest of its month',
  yearly: 'newest of its year',
  within: 'within the period',
  'pre-restore': 'recent safety backup',
  'newest-good': 'newest good backup',
  undo: 'undoes the last restore',
  'state-unreadable': 'may be pinned: its state cannot be read',
};

export function fromRetention(retention: Retention | null): Keep {
  if (!retention) return { ...TEN_NEWEST };
  const { last, hourly, daily, weekly, monthly, yearly, within, pre_restore_within } = retention;
  return { keep: last, keep_hourly: hourly, keep_daily: daily, keep_weekly: weekly, keep_monthly: monthly, keep_yearly: yearly, keep_within: within ?? '', keep_pre_restore: pre_restore_within };
}

/** Whether a text is a length of time, or nothing. */
export function isAge(text: string): boolean {
  return text.trim() === '' || /^\d{1,6}[hdw]$/.test(text.trim());
}

/** Zeros are left out, but for the first: no rule at all means ten. */
export function asQuery(keep: Keep): CleanupQuery {
  const rules = Object.entries(keep).filter(([name, value]) => name === 'keep' || (value !== 0 && value !== ''));
  return Object.fromEntries(rules) as CleanupQuery;
}

export function asWords(keep: Keep): string[] {
  const { keep: last, ...rules } = asQuery(keep);
  const flags = Object.entries(rules).flatMap(([name, value]) => [`--${name.replaceAll('_', '-')}`, String(value)]);
  return [String(last), ...flags];
}
