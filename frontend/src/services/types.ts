/** The service's answers, as the page reads them. */

export type Dataset = 'vrfs' | 'prefixes' | 'vpcs' | 'public_ips';
export type PerDataset<T> = Partial<Record<Dataset, T>>;

export interface DatasetSummary {
  rows: number;
  bytes: number;
  root: string;
}

export interface Verification {
  verified_at: string;
  damage: string[];
}

export interface SnapshotInfo {
  database: string;
  server_version: string;
  system_identifier: string | null;
  visible: string;
  wal_position: string | null;
  taken_at: string;
  schema_fingerprint: string;
}

export interface Backup {
  backup_id: string;
  timestamp: string;
  created_at: string;
  description: string;
  created_by: string;
  backup_type: 'full' | 'pre-restore';
  status: 'completed' | 'corrupt';
  restore_tested: boolean;
  last_restore: string | null;
  files: PerDataset<string>;
  datasets: PerDataset<DatasetSummary>;
  size: number;
  added_size: number;
  pinned: boolean;
  labels: Record<string, string>;
  verification: Verification | null;
  snapshot: SnapshotInfo;
  age_days?: number;
}

export interface BackupList {
  backups: Backup[];
  count: number;
  unreadable?: string[];
}

export interface FileInfo {
  name: string;
  size: number;
  modified: string;
}

export interface Details {
  backup_info: Backup & { files_info: FileInfo[] };
  total_size: number;
  age_days: number;
}

export interface Counts {
  added: number;
  changed: number;
  touched: number;
  removed: number;
}

export interface BackupChanges {
  backup_id: string;
  before: string | null;
  datasets: PerDataset<Counts>;
}

export type ChangeKind = 'added' | 'changed' | 'removed';

export interface CellChange {
  column: string;
  old: string | null;
  new: string | null;
}

export interface RowChange {
  dataset: Dataset;
  table: string;
  key: string;
  kind: ChangeKind;
  cells: CellChange[];
}

export interface DiffReport {
  from: string;
  to: string;
  identical: boolean;
  datasets: PerDataset<Counts>;
  changes: RowChange[];
  truncated: boolean;
}

export interface RestoreCounts {
  inserted: number;
  updated: number;
  deleted: number;
  unchanged: number;
}

export interface Preview {
  backup_id: string;
  datasets: PerDataset<RestoreCounts>;
  touched: number;
  changes: RowChange[];
  truncated: boolean;
}

export interface Restored {
  message: string;
  backup_id: string;
  restore_results: PerDataset<RestoreCounts> & { safety_backup: string | null; proven: boolean };
  timestamp: string;
}

export interface VerifyReport {
  status: 'success' | 'damaged';
  backups: { backup_id: string; intact: boolean; rows: number; damage: string[] }[];
  elsewhere: string[];
}

export interface Freed {
  bytes: number;
  pending_bytes: number;
  packs: number;
  notes?: string[];
}

export interface Deleted {
  message: string;
  freed: Freed;
  dry_run?: boolean;
}

export type Reason =
  | 'pinned'
  | 'last'
  | 'hourly'
  | 'daily'
  | 'weekly'
  | 'monthly'
  | 'yearly'
  | 'within';

export interface Judged {
  backup_id: string;
  description: string;
  kept_because: Reason[];
}

export interface CleanupReport {
  message: string;
  dry_run: boolean;
  deleted: Judged[];
  kept: Judged[];
  freed: Freed;
}

export interface Moment {
  backup_id: string;
  timestamp: string;
}

export interface RowVersion {
  kind: 'unchanged' | ChangeKind;
  touched: boolean;
  dataset: Dataset;
  first: Moment;
  last: Moment;
  backups: number;
  cells: CellChange[];
}

export interface RowHistory {
  table: string;
  key: string;
  backups: number;
  versions: RowVersion[];
}

export interface BackupCost {
  backup_id: string;
  size: number;
  added_size: number;
  exclusive_size: number;
}

export interface Disk {
  total_bytes: number;
  available_bytes: number;
  full_in_days: number | null;
}

export interface Statistics {
  backups: number;
  logical_bytes: number;
  unique_bytes: number;
  stored_bytes: number;
  chunks: number;
  packs: number;
  dedup_ratio: number;
  compression_ratio: number;
  total_ratio: number;
  costs: BackupCost[];
  disk: Disk | null;
}

export interface SizeSample {
  at: string;
  backups: number;
  stored_bytes: number;
  logical_bytes: number;
}

export type JobKind =
  | 'backup'
  | 'restore'
  | 'preview'
  | 'verify'
  | 'cleanup'
  | 'delete'
  | 'import'
  | 'diff';
export type JobState =
  | 'queued'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  | 'interrupted';
export type Phase =
  | 'starting'
  | 'verifying'
  | 'locking'
  | 'reading'
  | 'comparing'
  | 'applying'
  | 'proving'
  | 'committing'
  | 'sweeping'
  | 'done';

export interface Progress {
  phase: Phase;
  rows: number;
  bytes: number;
  total_rows: number | null;
  total_bytes: number | null;
  rows_per_second: number;
  bytes_per_second: number;
  seconds_left: number | null;
}

export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  problems?: string[];
  hint?: string;
}

export interface Job {
  job_id: string;
  kind: JobKind;
  target: string | null;
  trigger: 'request' | 'schedule';
  state: JobState;
  created_by: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  progress: Progress;
  cancellable: boolean;
  result?: unknown;
  problem: Problem | null;
}

export interface Retention {
  last: number;
  hourly: number;
  daily: number;
  weekly: number;
  monthly: number;
  yearly: number;
  within: string | null;
  pre_restore_within: string | null;
}

export interface Schedule {
  time_zone: string;
  schedules: { expression: string; next_at: string }[];
  retention: Retention | null;
  last_run: { at: string; outcome: string; backup_id?: string; detail?: string } | null;
  verification: { period_days: number; next_at: string; oldest_proven_at: string | null } | null;
}

export interface Check {
  ok: boolean;
  detail: string;
}

export interface Health {
  status: 'ok' | 'degraded' | 'failing';
  version: string;
  checks: {
    store: Check;
    database: Check;
    last_backup: Check & { backup_id: string | null; age_seconds: number | null };
    schedule: Check;
    verification: Check;
    disk: Check;
  };
}

export type Role = 'viewer' | 'operator' | 'admin';

export interface Session {
  name: string;
  role: Role;
  authentication: 'none' | 'token';
  version: string;
  database: boolean;
}

export interface AuditEntry {
  at: string;
  who: string;
  role: Role;
  action: string;
  target: string | null;
  outcome: string;
  detail?: string;
  job_id?: string;
  request_id?: string;
}
