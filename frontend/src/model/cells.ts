/** Cells that differ, taken apart: a JSON value key by key, anything else as a whole. */
import type { CellChange } from '@/services/types';
import { visible } from './text';

export interface Difference {
  /** The column, or `tags.owner` for a key of a JSON column. */
  name: string;
  /** Null is null; undefined is a key that is not there. */
  old: string | null | undefined;
  new: string | null | undefined;
}

type Json = Record<string, unknown>;

function object(text: string | null): Json | null {
  if (!text?.startsWith('{')) return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

function shown(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return value;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function insideJson(column: string, old: Json, now: Json): Difference[] {
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  const all = names.map((name) => ({ name: `${column}.${name}`, old: shown(old[name]), new: shown(now[name]) }));
  return all.filter((difference) => difference.old !== difference.new);
}

export function differences(cell: CellChange): Difference[] {
  const [old, now] = [object(cell.old), object(cell.new)];
  const bothOrNone = (old || cell.old === null) && (now || cell.new === null);
  const parts = bothOrNone && (old ?? now) ? insideJson(cell.column, old ?? {}, now ?? {}) : [];
  return parts.length > 0 ? parts : [{ name: cell.column, old: cell.old, new: cell.new }];
}

/** PostgreSQL writes booleans as `t` and `f`. */
export function readable(value: string | null | undefined): string {
  if (value === undefined) return 'not set';
  if (value === null) return 'null';
  return value === '' ? 'empty' : value === 't' ? 'true' : value === 'f' ? 'false' : visible(value);
}

/** What identifies a row in a list, by the profile's summary columns: "prod-vrf · 10.16.0.0/16". */
export function summary(cells: CellChange[], columns: string[]): string {
  const telling = columns.flatMap((column) => cells.filter((cell) => cell.column === column));
  return telling.slice(0, 3).map((cell) => readable(cell.new ?? cell.old)).join(' · ');
}
