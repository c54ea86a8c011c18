/** What a verification of everything found, as one sentence. */
import type { VerifyReport } from '@/services/types';
import { counted, listed } from './format';

/** More are counted, not named. */
const NAMED = 3;

function some(words: string[], one: string): string {
  const more = words.length - NAMED;
  return listed(more > 0 ? [...words.slice(0, NAMED), counted(more, `more ${one}`)] : words);
}

/** Null if all is whole. */
export function damageIn(report: VerifyReport): string | null {
  const hurt = report.backups.filter((backup) => !backup.intact).map((backup) => backup.backup_id);
  const { elsewhere } = report;
  const sentences: string[] = [];
  if (hurt.length > 0) sentences.push(`${counted(hurt.length, 'backup')} damaged: ${some(hurt, 'backup')}.`);
  if (elsewhere.length > 0) sentences.push(`The store is damaged where no backup needs it: ${some(elsewhere, 'place')}.`);
  return sentences.length > 0 ? sentences.join(' ') : null;
}
