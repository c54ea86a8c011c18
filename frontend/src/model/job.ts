/** Jobs: the steps that each kind goes through, and how far it is. */
import type { Job, JobKind, Phase, Progress } from '@/services/types';

export interface Step {
  phase: Phase;
  name: string;
  explains: string;
}

export type StepState = 'waiting' | 'active' | 'done' | 'failed' | 'cancelled';

/** How a restore fails before its commit, or after the service made sure that nothing was committed. */
const ROLLED_BACK = ['malformed_request', 'no_such_backup', 'damaged', 'schema_mismatch', 'database_unreachable', 'not_permitted', 'in_the_way', 'changed_since_preview', 'busy', 'cancelled'];

/** Whether a restore is over and certainly changed nothing. What failed otherwise may have been committed all the same. */
export function leftAsItWas(job: Job | null): boolean {
  if (job?.state === 'cancelled') return true;
  return job?.state === 'failed' && ROLLED_BACK.includes(job.problem?.code ?? '');
}

const READ: Step = { phase: 'reading', name: 'Read the database', explains: 'One consistent snapshot; the application goes on.' };
const COMPARE: Step = { phase: 'comparing', name: 'Compare', explains: 'Only rows that differ will be written.' };

/** Whether a restore keeps the state before as a backup; null where that is not known. */
export type Safety = boolean | null;

function kept(safety: Safety): string {
  if (safety === false) return 'It is not kept as a backup: there is no Undo.';
  const unless = safety ? '' : ', unless that was switched off';
  return `It becomes a backup of its own: the way to undo this${unless}.`;
}

function committed(safety: Safety): string {
  if (safety === null) return 'From here it is done.';
  return safety ? 'From here it is done, and can be undone.' : 'From here it is done, and cannot be undone.';
}

const restoreSteps = (safety: Safety): Step[] => [
  { phase: 'verifying', name: 'Verify the backup', explains: 'Every byte is read and hashed before anything is touched.' },
  { phase: 'locking', name: 'Lock the tables', explains: 'Writers wait from here on, readers do not.' },
  { phase: 'reading', name: 'Read the state before', explains: kept(safety) },
  COMPARE,
  { phase: 'applying', name: 'Write the rows', explains: 'In one transaction: all of it, or nothing.' },
  { phase: 'proving', name: 'Prove the result', explains: 'The rows are read back and must equal the backup.' },
  { phase: 'committing', name: 'Commit', explains: committed(safety) },
];

const STEPS: Record<JobKind, Step[]> = {
  backup: [READ],
  preview: [READ, COMPARE],
  diff: [READ, COMPARE],
  restore: restoreSteps(null),
  verify: [{ phase: 'verifying', name: 'Verify', explains: 'Every byte is read and hashed.' }],
  cleanup: [{ phase: 'sweeping', name: 'Free space', explains: 'What no backup needs goes.' }],
  delete: [{ phase: 'sweeping', name: 'Free space', explains: 'What no backup needs goes.' }],
  copy: [{ phase: 'copying', name: 'Copy', explains: 'Only what the other store lacks is sent, and read back.' }],
  import: [{ phase: 'importing', name: 'Read the archive', explains: 'Its rows must be those that it names.' }],
};

export const JOB_NAMES: Record<JobKind, string> = {
  backup: 'Backup',
  restore: 'Restore',
  preview: 'Preview of a restore',
  verify: 'Verification',
  cleanup: 'Cleanup',
  delete: 'Deletion',
  import: 'Import',
  copy: 'Copy',
  diff: 'Comparison with live',
};

export function isOver(job: Job): boolean {
  return job.state !== 'queued' && job.state !== 'running';
}

/** 0 to 1 within the phase; null where the end is not known. */
export function share(progress: Progress): number | null {
  if (progress.phase === 'done') return 1;
  if (progress.total_bytes) return Math.min(1, progress.bytes / progress.total_bytes);
  if (progress.total_rows) return Math.min(1, progress.rows / progress.total_rows);
  return null;
}

/** Each step of a job with its state; the failed one is that at which it stopped. */
export function stepsOf(job: Job, safety: Safety = null): (Step & { state: StepState })[] {
  const steps = job.kind === 'restore' ? restoreSteps(safety) : STEPS[job.kind];
  const at = job.state === 'succeeded' ? steps.length : steps.findIndex((step) => step.phase === job.progress.phase);
  const broken = isOver(job) && job.state !== 'succeeded';
  return steps.map((step, place) => {
    if (place < at) return { ...step, state: 'done' };
    if (place > at && !(broken && at < 0 && place === 0)) return { ...step, state: 'waiting' };
    const ended = job.state === 'cancelled' ? 'cancelled' : 'failed';
    return { ...step, state: broken ? ended : 'active' };
  });
}

export function stepName(job: Job): string {
  if (job.state === 'queued') return 'Waiting for its turn';
  return STEPS[job.kind].find((step) => step.phase === job.progress.phase)?.name ?? 'Starting';
}
