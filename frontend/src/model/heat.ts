/** A year of backup days, week by week. */
import type { Backup } from '@/services/types';
import { dayKey, instant, type Zone } from './time';

const DAY = 86_400_000;
export const WEEKS = 53;

export interface HeatDay {
  day: string;
  backups: number;
  damaged: number;
  /** 0 (none) to 4, for the colour. */
  level: number;
  /** After today: shown as nothing. */
  future: boolean;
}

/** Levels follow the busiest day, so that a quiet site's year is readable, too. */
function level(backups: number, most: number): number {
  return backups === 0 ? 0 : Math.max(1, Math.ceil((4 * Math.log1p(backups)) / Math.log1p(most)));
}

/** Weeks from Monday to Sunday, oldest first; the last one holds today. */
export function year(backups: Backup[], now: Date, zone: Zone): HeatDay[][] {
  const byDay = new Map<string, { backups: number; damaged: number }>();
  for (const backup of backups) {
    const day = dayKey(instant(backup.created_at), zone);
    const sum = byDay.get(day) ?? { backups: 0, damaged: 0 };
    sum.backups += 1;
    sum.damaged += backup.status === 'corrupt' ? 1 : 0;
    byDay.set(day, sum);
  }
  const most = Math.max(1, ...[...byDay.values()].map((sum) => sum.backups));
  const today = dayKey(now, zone);
  const noon = new Date(`${today}T12:00:00Z`).getTime();
  const monday = noon - ((new Date(noon).getUTCDay() + 6) % 7) * DAY;
  return Array.from({ length: WEEKS }, (_, week) =>
    Array.from({ length: 7 }, (_, weekday) => {
      const time = monday + ((week - WEEKS + 1) * 7 + weekday) * DAY;
      const day = new Date(time).toISOString().slice(0, 10);
      const sum = byDay.get(day) ?? { backups: 0, damaged: 0 };
      return { day, ...sum, level: level(sum.backups, most), future: day > today };
    }),
  );
}

/** The month's name above the first week that begins in it. */
export function monthLabels(weeks: HeatDay[][]): { week: number; name: string }[] {
  const labels: { week: number; name: string }[] = [];
  let last = '';
  weeks.forEach((days, week) => {
    const month = days[0]?.day.slice(0, 7) ?? '';
    if (month === last) return;
    last = month;
    const name = new Date(`${month}-15T00:00:00Z`).toLocaleString('en', { month: 'short', timeZone: 'UTC' });
    labels.push({ week, name });
  });
  // A month that shows less than three weeks has no room for its name.
  return labels.filter((label, place) => ((labels[place + 1]?.week ?? WEEKS) - label.week) >= 3);
}
