/** What the audit log says was done, in words. */
import { JOB_NAMES } from './job';
import type { JobKind } from '@/services/types';

const CALLS: Record<string, string> = {
  'POST /api/backup': 'Asked for a backup',
  'POST /api/restore/{backup_id}': 'Asked for a restore',
  'POST /api/verify': 'Asked for a verification',
  'POST /api/cleanup': 'Asked for a cleanup',
  'POST /api/import': 'Sent an archive',
  'PATCH /api/backup/{backup_id}': 'Changed the description, a label or the pin',
  'DELETE /api/backup/{backup_id}': 'Asked for a deletion',
  'POST /api/jobs/{job_id}/cancel': 'Cancelled a job',
  'POST /api/notify/test': 'Sent a test notification',
};

/** The name of a job's kind or of a call; a call that has none is shown as it is. */
export function actionName(action: string): string {
  return JOB_NAMES[action as JobKind] ?? CALLS[action] ?? action;
}

/** A detail for people: of a query its parameters, without the signs of an address. */
export function detailOf(detail: string): string {
  if (!detail.startsWith('?')) return detail;
  const parameters = [...new URLSearchParams(detail)].filter(([name]) => name !== 'fingerprint');
  return parameters.map(([name, value]) => `${name.replaceAll('_', ' ')}: ${value}`).join(', ');
}
