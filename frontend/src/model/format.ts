/** Numbers as people read them. */

const counts = new Intl.NumberFormat('en');
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function count(value: number): string {
  return counts.format(value);
}

/** "1 row", "2,000 rows". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function bytes(value: number): string {
  let unit = 0;
  let rest = Math.abs(value);
  while (rest >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  return `${value < 0 ? '−' : ''}${rest.toFixed(digits)} ${UNITS[unit] ?? 'B'}`;
}

/** The distance of an axis's lines: a power of two, since sizes are read so; three to six of them. */
export function step(most: number): number {
  return 2 ** Math.ceil(Math.log2(most / 6));
}

export function ratio(value: number): string {
  return `${value >= 100 ? count(Math.round(value)) : value.toFixed(1)} : 1`;
}

export function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${Math.round((part / whole) * 100)} %`;
}

/** "340 ms", "1.2 s". */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** The first twelve digits tell two hashes apart. */
export function shortHash(hash: string): string {
  return hash.slice(0, 12);
}

/** "a", "a and b", "a, b and c". */
export function listed(words: string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}
