/** Small made-up answers of the service, for tests. */
import type { Backup, FoundChange, Health, Job, NetworkTree, Profile, RowChange, Schedule } from '@/services/types';

export const tree: NetworkTree = { table: 'prefix', network: 'cidr', group: 'vrf_id' };

export const profile: Profile = {
  status: 'success', name: 'ipam', tree,
  datasets: [
    { name: 'vrfs', label: 'VRFs', in_every_backup: true }, { name: 'prefixes', label: 'Prefixes', in_every_backup: true },
    { name: 'vpcs', label: 'VPCs', in_every_backup: true }, { name: 'public_ips', label: 'Public IPs', in_every_backup: true },
    { name: 'idempotency_records', label: 'Request records', in_every_backup: false },
  ],
  tables: [{ name: 'vrf', example: 'prod-vrf' }, { name: 'prefix', example: 'manual-prod-vrf-10-16-0-0-16' }],
  scopes: [{ name: 'vrf', label: 'VRF', example: 'prod-vrf' }],
  volatile_columns: ['updated_at', 'last_updated'],
  summary_columns: ['cidr', 'vpc_prefix_cidr', 'ip_address', 'description', 'provider_vpc_id', 'vrf_id', 'label'],
};

export function backup(id: string, more: Partial<Backup> = {}): Backup {
  const [day, time] = [id.slice(0, 8), id.slice(9)];
  const iso = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}`;
  const dataset = { rows: 10, bytes: 1000, root: 'ab'.repeat(32) };
  return {
    backup_id: id, timestamp: `${iso}.000000`, created_at: `${iso}.000000Z`, description: `Backup ${id}`, created_by: 'alice',
    backup_type: 'full', status: 'completed', restore_tested: false, last_restore: null, files: {},
    datasets: { vrfs: dataset, prefixes: dataset, vpcs: dataset, public_ips: dataset },
    size: 4000, added_size: 400, pinned: false, labels: {}, verification: { verified_at: `${iso}.000000Z`, damage: [] },
    snapshot: { database: 'ipam', server_version: '15', system_identifier: null, visible: '1:1:', wal_position: null, taken_at: iso, schema_fingerprint: 'cd'.repeat(32) },
    missing_tables: [], automatic: false, capture: null,
    ...more,
  } as Backup;
}

export function job(id: string, more: Partial<Job> = {}): Job {
  return {
    job_id: id, kind: 'backup', target: null, trigger: 'request', state: 'running', created_by: 'alice',
    created_at: '2025-09-20T14:30:00Z', started_at: '2025-09-20T14:30:00Z', finished_at: null,
    progress: { phase: 'reading', rows: 5, bytes: 50, total_rows: null, total_bytes: 100, rows_per_second: 0, bytes_per_second: 0, seconds_left: null },
    cancellable: true, result: null, problem: null, ...more,
  } as Job;
}

export function schedule(nextAt: string | null): Schedule {
  return {
    status: 'success', time_zone: 'UTC', schedules: nextAt ? [{ expression: '0 * * * *', next_at: nextAt }] : [],
    retention: null, retention_withheld: [], watch_seconds: null, last_run: null, verification: null, notices: [],
  } as Schedule;
}

export function health(broken: Partial<Record<keyof Health['checks'], string>> = {}): Health {
  const check = (name: keyof Health['checks']) => ({ ok: !(name in broken), detail: broken[name] ?? 'fine' });
  return {
    status: 'ok', version: '0.1.0',
    protection: { level: 'good', cause: 'protected', word: 'Protected.', sentence: 'Last backup 4 minutes ago, verified; next in 56 minutes.' },
    checks: { store: check('store'), database: check('database'), last_backup: { ...check('last_backup'), backup_id: null, age_seconds: null }, schedule: check('schedule'), verification: check('verification'), disk: check('disk'), notices: check('notices'), copy: { ...check('copy'), age_seconds: null }, scratch: check('scratch') },
  } as Health;
}

export function prefix(vrf: string, cidr: string, kind: RowChange['kind'] = 'added'): RowChange {
  const cell = (column: string, value: string) => ({ column, old: kind === 'added' ? null : value, new: kind === 'removed' ? null : value });
  return { dataset: 'prefixes', table: 'prefix', key: `manual-${vrf}-${cidr.replace(/[./:]/g, '-')}`, kind, cells: [cell('vrf_id', vrf), cell('cidr', cidr)] };
}

export function found(vrf: string, cidr: string, kind: RowChange['kind'] = 'added'): FoundChange {
  return { ...prefix(vrf, cidr, kind), identity: { cidr, vrf_id: vrf } };
}
