/** Jobs of the sample service: they take a few seconds and tell how far they are. */
import type { Job, JobKind, Phase } from '../src/services/types';

const PHASES: Record<JobKind, Phase[]> = {
  backup: ['reading'],
  restore: ['verifying', 'locking', 'reading', 'comparing', 'applying', 'proving', 'committing'],
  preview: ['reading', 'comparing'],
  verify: ['verifying'],
  cleanup: ['sweeping'],
  delete: ['sweeping'],
  import: ['importing'], copy: ['copying'],
  diff: ['reading', 'comparing'],
};
const STEP = 150;

export class Work {
  readonly jobs: Job[] = [];
  private readonly listeners = new Set<(job: Job) => void>();
  private number = 0;

  listen(listener: (job: Job) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  start(kind: JobKind, target: string | null, conclude: () => unknown): Job {
    this.number += 1;
    const now = new Date().toISOString();
    const progress = { phase: 'starting' as Phase, rows: 0, bytes: 0, total_rows: null, total_bytes: null, rows_per_second: 0, bytes_per_second: 0, seconds_left: null };
    const job: Job = { job_id: `job-${Date.now()}-${this.number}`, kind, target, trigger: 'request', state: 'running', created_by: 'local', created_at: now, started_at: now, finished_at: null, progress, cancellable: true, request_id: null, result: null, problem: null };
    this.jobs.unshift(job);
    this.step(job, PHASES[kind], 0, conclude);
    return job;
  }

  private step(job: Job, phases: Phase[], turn: number, conclude: () => unknown): void {
    if (job.state !== 'running') return;
    const phase = phases[Math.floor(turn / 8)];
    if (phase) {
      const rows = (turn % 8) * 14_000;
      job.progress = { ...job.progress, phase, rows, total_rows: 112_000, bytes: rows * 250, total_bytes: 112_000 * 250, rows_per_second: 93_000, bytes_per_second: 23_000_000, seconds_left: Math.ceil((8 - (turn % 8)) * 0.15) };
      job.cancellable = phase !== 'committing';
      setTimeout(() => { this.step(job, phases, turn + 1, conclude); }, STEP);
    } else {
      Object.assign(job, { state: 'succeeded', finished_at: new Date().toISOString(), result: conclude(), cancellable: false });
      job.progress = { ...job.progress, phase: 'done' };
    }
    this.tell(job);
  }

  cancel(job: Job): void {
    Object.assign(job, { state: 'cancelled', finished_at: new Date().toISOString(), cancellable: false });
    this.tell(job);
  }

  private tell(job: Job): void {
    this.listeners.forEach((listener) => { listener(job); });
  }
}
