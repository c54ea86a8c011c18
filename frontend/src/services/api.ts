/** The service's calls, by name. Long work is started as a job and followed by its events. */
import { request, type Query } from './http';
import type {
  AuditEntry, Backup, BackupChanges, BackupList, Details, DiffReport, Health, Job, RowHistory,
  Schedule, Session, SizeSample, Statistics,
} from './types';

export interface BackupPatch {
  description?: string;
  pinned?: boolean;
  /** Labels to set, or with null to take away; the others stay. */
  labels?: Record<string, string | null>;
}

const part = encodeURIComponent;

async function start(method: string, path: string, query?: Query, json?: unknown): Promise<Job> {
  const headers = { Prefer: 'respond-async' };
  return (await request<{ job: Job }>(path, { method, query, json, headers })).job;
}

export const api = {
  session: () => request<Session>('/api/session'),
  health: () => request<Health>('/api/health'),
  schedule: () => request<Schedule>('/api/schedule'),
  backups: () => request<BackupList>('/api/backups'),
  details: (id: string) => request<Details>(`/api/backup/${part(id)}`),
  changes: (id: string) => request<BackupChanges>(`/api/backup/${part(id)}/changes`),
  describe: (id: string, json: BackupPatch) =>
    request<{ backup_info: Backup }>(`/api/backup/${part(id)}`, { method: 'PATCH', json }),
  history: (table: string, key: string) => request<RowHistory>(`/api/history/${part(table)}/${part(key)}`),
  statistics: () => request<Statistics>('/api/statistics'),
  sizes: async () => (await request<{ sizes: SizeSample[] }>('/api/statistics/history')).sizes,
  jobs: async (limit = 50) => (await request<{ jobs: Job[] }>('/api/jobs', { query: { limit } })).jobs,
  job: async (id: string) => (await request<{ job: Job }>(`/api/jobs/${part(id)}`)).job,
  audit: async (limit = 200) => (await request<{ entries: AuditEntry[] }>('/api/audit', { query: { limit } })).entries,
  diff: (from: string, to: string, limit: number) =>
    request<DiffReport>(`/api/diff/${part(from)}/${part(to)}`, { query: { limit } }),
};

export const jobs = {
  backup: (description: string) => start('POST', '/api/backup', { description }),
  restore: (id: string, query: Query) => start('POST', `/api/restore/${part(id)}`, query),
  preview: (id: string, query: Query) => start('POST', `/api/preview/${part(id)}`, query),
  diff: (from: string, to: string, limit: number) => start('GET', `/api/diff/${part(from)}/${part(to)}`, { limit }),
  verify: (backups: string[]) => start('POST', '/api/verify', undefined, { backups }),
  cleanup: (query: Query) => start('POST', '/api/cleanup', query),
  remove: (id: string, dryRun: boolean) => start('DELETE', `/api/backup/${part(id)}`, { dry_run: dryRun }),
  cancel: (id: string) => request<{ job: Job }>(`/api/jobs/${part(id)}/cancel`, { method: 'POST' }),
  async import(archive: Blob): Promise<Job> {
    const headers = { Prefer: 'respond-async', 'Content-Type': 'application/x-tar' };
    return (await request<{ job: Job }>('/api/import', { method: 'POST', body: archive, headers })).job;
  },
};

export const files = {
  dataset: (id: string, dataset: string) => `/api/backup/${part(id)}/files/${part(dataset)}`,
  archive: (id: string) => `/api/backup/${part(id)}/archive`,
  diff: (from: string, to: string, format: 'csv' | 'json') => `/api/diff/${part(from)}/${part(to)}?format=${format}`,
};
