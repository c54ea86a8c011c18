/** What a verification of everything found, as one sentence. */
import type { VerifyReport } from '@/services/types';
import { counted, listed } from './format';

/** The datasets of a backup that its damage affects: each sentence names them behind the backup's id. All if none does. */
export function damagedDatasets(damage: string[], id: string, datasets: string[]): string[] {
  const named = damage.flatMap((sentence) => {
    const words = new RegExp(`${id} \\(([^)]*)\\)`).exec(sentence)?.[1];
    return words === undefined ? datasets : words.split(', ');
  });
  return datasets.filter((name) => named.includes(name));
}

/** More are counted, not named. */
const NAMED = 3;

function some(words: string[], one: string): string {
  const more = words.length - NAMED;
  return listed(more > 0 ? [...words.slice(0, NAMED), counted(more, `more ${one}`)] : words);
}

/** Null if every backup is whole. */
export function damageIn(report: VerifyReport): string | null {
  const affected = report.backups.filter((backup) => !backup.intact).map((backup) => backup.backup_id);
  return affected.length > 0 ? `${counted(affected.length, 'backup')} damaged: ${some(affected, 'backup')}.` : null;
}

/** What is wrong but affects no backup; null if nothing is. */
export function harmlessIn(report: VerifyReport): string | null {
  const { elsewhere } = report;
  return elsewhere.length > 0 ? `No backup is affected; the next cleanup repairs: ${some(elsewhere, 'finding')}.` : null;
}
