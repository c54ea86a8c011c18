/** The service's calls, by name. Long work is started as a job and followed by its events. */
import { answer, client } from './http';
import type { Accepted, BackupPatch, CleanupQuery, CleanupReport, Dataset, Deleted, DiffReport, FoundQuery, Job, PreviewQuery, RestoreQuery } from './types';
import { upload } from './upload';

const of = (backup_id: string) => ({ path: { backup_id } });
const headers = { Prefer: 'respond-async' };

/** The job that a call with `Prefer: respond-async` is answered with. */
async function started(call: Promise<{ data?: unknown }>): Promise<Job> {
  return ((await call).data as Accepted).job;
}

export const api = {
  session: () => answer(client.GET('/api/session')),
  profile: () => answer(client.GET('/api/profile')),
  health: () => answer(client.GET('/api/health')),
  schedule: () => answer(client.GET('/api/schedule')),
  /** Sends a test notification to every target. */
  testNotices: () => answer(client.POST('/api/notify/test')),
  backups: () => answer(client.GET('/api/backups')),
  details: (id: string) => answer(client.GET('/api/backup/{backup_id}', { params: of(id) })),
  changes: (id: string) => answer(client.GET('/api/backup/{backup_id}/changes', { params: of(id) })),
  describe: (id: string, body: BackupPatch) => answer(client.PATCH('/api/backup/{backup_id}', { params: of(id), body })),
  live: () => answer(client.GET('/api/live')),
  /** Rows of a kept comparison that differ, searched and page by page. */
  found: (comparison_id: string, query: FoundQuery) =>
    answer(client.GET('/api/comparisons/{comparison_id}/changes', { params: { path: { comparison_id }, query } })),
  foundTree: (comparison_id: string, query: FoundQuery) =>
    answer(client.GET('/api/comparisons/{comparison_id}/tree', { params: { path: { comparison_id }, query } })),
  scopeValues: async (backup_id: string, scope: string, q: string) =>
    (await answer(client.GET('/api/backup/{backup_id}/scopes/{scope}', { params: { path: { backup_id, scope }, query: { q: q || undefined } } }))).values,
  history: (table: string, key: string) => answer(client.GET('/api/history/{table}/{key}', { params: { path: { table, key } } })),
  statistics: () => answer(client.GET('/api/statistics')),
  sizes: async () => (await answer(client.GET('/api/statistics/history'))).sizes,
  jobs: async (limit = 50) => (await answer(client.GET('/api/jobs', { params: { query: { limit } } }))).jobs,
  job: async (job_id: string) => (await answer(client.GET('/api/jobs/{job_id}', { params: { path: { job_id } } }))).job,
  /** What was done, without what was only looked at. */
  audit: (limit = 200) => answer(client.GET('/api/audit', { params: { query: { limit, reads: false } } })),
  /** What a deletion would free; nothing is deleted. */
  removal: async (id: string) =>
    (await answer(client.DELETE('/api/backup/{backup_id}', { params: { ...of(id), query: { dry_run: true } } }))) as Deleted,
  /** What a cleanup would take; nothing is taken. */
  cleanup: async (query: CleanupQuery) =>
    (await answer(client.POST('/api/cleanup', { params: { query: { ...query, dry_run: true } } }))) as CleanupReport,
  diff: async (from: string, to: string, limit: number) =>
    (await answer(client.GET('/api/diff/{from}/{to}', { params: { path: { from, to }, query: { limit } } }))) as DiffReport,
};

export const jobs = {
  backup: (description: string) =>
    started(client.POST('/api/backup', { params: { query: description ? { description } : {} }, headers })),
  restore: (id: string, query: RestoreQuery) => started(client.POST('/api/restore/{backup_id}', { params: { ...of(id), query }, headers })),
  preview: (id: string, query: PreviewQuery) => started(client.POST('/api/preview/{backup_id}', { params: { ...of(id), query }, headers })),
  diff: (from: string, to: string, limit: number) =>
    started(client.GET('/api/diff/{from}/{to}', { params: { path: { from, to }, query: { limit } }, headers })),
  verify: (backups: string[]) => started(client.POST('/api/verify', { body: { backups }, headers })),
  cleanup: (query: CleanupQuery) => started(client.POST('/api/cleanup', { params: { query }, headers })),
  remove: (id: string) => started(client.DELETE('/api/backup/{backup_id}', { params: of(id), headers })),
  cancel: (job_id: string) => answer(client.POST('/api/jobs/{job_id}/cancel', { params: { path: { job_id } } })),
  async import(archive: Blob, tell: (sent: number) => void): Promise<Job> {
    const response = await upload('/api/import', archive, { ...headers, 'Content-Type': 'application/x-tar' }, tell);
    return ((await response.json()) as Accepted).job;
  },
};

const part = encodeURIComponent;

/** Where the files are that can be downloaded. */
export const files = {
  dataset: (id: string, dataset: Dataset) => `/api/backup/${part(id)}/files/${dataset}`,
  archive: (id: string) => `/api/backup/${part(id)}/archive`,
  /** What a spreadsheet would take for a formula is escaped: these are opened in one. */
  diff: (from: string, to: string, format: 'csv' | 'json') => `/api/diff/${part(from)}/${part(to)}?format=${format}${format === 'csv' ? '&formulas=escape' : ''}`,
};
