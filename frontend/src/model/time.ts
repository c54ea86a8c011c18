/** Instants as people read them: how long ago, and which day. */

export type Zone = 'local' | 'UTC';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS: [number, string][] = [
  [365 * DAY, 'year'],
  [30 * DAY, 'month'],
  [DAY, 'day'],
  [HOUR, 'hour'],
  [MINUTE, 'minute'],
  [1, 'second'],
];

/** A timestamp of the service; without a zone it is UTC. */
export function instant(text: string): Date {
  return new Date(/Z|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);
}

/** The second that an id names. */
export function instantOfId(id: string): Date {
  const parts = /^(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)$/.exec(id)?.slice(1);
  return new Date(parts ? `${parts.slice(0, 3).join('-')}T${parts.slice(3).join(':')}Z` : NaN);
}

/** "4 minutes", the greatest unit that fits. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [unit, name] = STEPS.find(([unit]) => whole >= unit) ?? [1, 'second'];
  const many = Math.floor(whole / unit);
  return `${many} ${name}${many === 1 ? '' : 's'}`;
}

/** Clocks differ by minutes; a time further ahead is that of a wrong clock, and said to be ahead. */
const CLOCKS_DIFFER = 5 * MINUTE;

export function ago(then: Date, now: Date): string {
  const seconds = (now.getTime() - then.getTime()) / 1000;
  if (seconds < -CLOCKS_DIFFER) return `${span(-seconds)} in the future`;
  return seconds < 5 ? 'just now' : `${span(seconds)} ago`;
}

export function until(then: Date, now: Date): string {
  const seconds = (then.getTime() - now.getTime()) / 1000;
  return seconds < 5 ? 'any moment' : `in ${span(seconds)}`;
}

function zoned(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-GB', zone === 'UTC' ? { ...options, timeZone: 'UTC' } : options);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${name}`;
  const known = formats.get(key) ?? zoned(zone, options);
  formats.set(key, known);
  return known;
}

/** "14:30:22" */
export function clock(date: Date, zone: Zone): string {
  return format(zone, 'clock', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(date);
}

/** "2025-09-20", to group and compare by. */
export function dayKey(date: Date, zone: Zone): string {
  const options = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  return format(zone, 'key', options).format(date).split('/').reverse().join('-');
}

/** "20 Sep 2025, 14:30:22" */
export function moment(date: Date, zone: Zone): string {
  const options = { day: 'numeric', month: 'short', year: 'numeric' } as const;
  return `${format(zone, 'day', options).format(date)}, ${clock(date, zone)}`;
}

/** "Today", "Yesterday", "Saturday, 20 September 2025", of a day's key. */
export function dayName(key: string, now: Date, zone: Zone): string {
  if (key === dayKey(now, zone)) return 'Today';
  if (key === dayKey(new Date(now.getTime() - DAY * 1000), zone)) return 'Yesterday';
  return longDay(key);
}

export function longDay(key: string): string {
  const options = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' } as const;
  return format('UTC', 'long', options).format(new Date(`${key}T12:00:00Z`));
}

/** "UTC", "CEST", "GMT+2": what to put beside a time. */
export function zoneName(zone: Zone, date: Date): string {
  const parts = format(zone, 'zone', { timeZoneName: 'short' }).formatToParts(date);
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? 'UTC';
}
