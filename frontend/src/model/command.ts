/** The command line that does the same as the page. */

/** As a shell takes it: plain words stay as they are, all else is quoted. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

export function command(verb: string, ...words: string[]): string {
  return ['ipam-rewind', verb, ...words.map(quoted)].join(' ');
}

export interface RestoreChoice {
  datasets: string[];
  vrf: string;
  safety: boolean;
  /** Whether columns that were added since may get null or their default. */
  drift?: boolean;
  /** Whether rows that the backup does not have stay. */
  merge?: boolean;
}

export function restoreCommand(id: string, choice: RestoreChoice): string {
  const words = [id, ...choice.datasets.flatMap((dataset) => ['--dataset', dataset])];
  if (choice.vrf) words.push('--vrf', choice.vrf);
  if (choice.merge) words.push('--merge');
  if (choice.drift) words.push('--allow-schema-drift');
  if (!choice.safety) words.push('--no-safety-backup');
  return command('restore', ...words);
}
