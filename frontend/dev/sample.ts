/** A made-up site with a year of backups, to work on the page without a service. */
import type { Backup, Counts, Dataset, RowChange, SizeSample } from '../src/services/types';

const HOUR = 3_600_000;
const WHAT = [
  'Before the Frankfurt renumbering', 'Before VLAN import 4711', 'Firewall change CHG-20931', 'Before VRF cleanup',
  'After decommissioning site MUC-2', 'Before the AWS account merge', 'IPv6 rollout, wave 3', 'Before bulk tag edit',
];
const WHO = ['alice', 'bob', 'm.okafor', 'system'];

/** A small generator that gives the same numbers every time. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function idOf(date: Date): string {
  return date.toISOString().slice(0, 19).replaceAll('-', '').replaceAll(':', '').replace('T', '_');
}

function hex(next: () => number): string {
  return Array.from({ length: 64 }, () => Math.floor(next() * 16).toString(16)).join('');
}

export function backupAt(date: Date, next: () => number, rows: number): Backup {
  const id = idOf(date);
  const kind = next();
  const scheduled = kind < 0.86;
  const safety = kind > 0.97;
  const word = WHAT[Math.floor(next() * WHAT.length)] ?? '';
  const dataset = (share: number, bytes: number) => ({ rows: Math.round(rows * share), bytes: Math.round(rows * share * bytes), root: hex(next) });
  const datasets = { vrfs: dataset(0.002, 180), prefixes: dataset(0.62, 260), vpcs: dataset(0.3, 240), public_ips: dataset(0.078, 220) };
  const described = scheduled ? `Backup created on ${date.toISOString().slice(0, 19).replace('T', ' ')}` : word;
  return {
    backup_id: id,
    timestamp: date.toISOString().replace('Z', '123'),
    created_at: date.toISOString().replace('Z', '123Z'),
    number: null,
    description: safety ? `Before restore of ${idOf(new Date(date.getTime() - 7 * HOUR))}` : described,
    created_by: scheduled ? 'schedule' : (WHO[Math.floor(next() * WHO.length)] ?? 'system'),
    backup_type: safety ? 'pre-restore' : 'full',
    status: next() < 0.002 ? 'corrupt' : 'completed',
    restore_tested: next() < 0.02,
    last_restore: null,
    files: {
      vrfs: `vrfs_export_${id}.json`, prefixes: `manual_prefixes_export_${id}.json`,
      vpcs: `vpc_data_export_${id}.json`, public_ips: `public_ips_export_${id}.json`,
    },
    datasets,
    size: Object.values(datasets).reduce((sum, one) => sum + one.bytes, 0),
    added_size: Math.round(20_000 + next() ** 6 * 900_000),
    pinned: next() < 0.01,
    labels: next() < 0.02 ? { change: `CHG-${Math.floor(next() * 90_000 + 10_000)}` } : {},
    verification: next() < 0.9 ? { verified_at: new Date(date.getTime() + HOUR / 2).toISOString(), damage: [] } : null,
    missing_tables: [], automatic: false, capture: null,
    snapshot: {
      database: 'prefix_management', server_version: '15.18 (Debian 15.18-0+deb12u1)', system_identifier: '7412345678901234567',
      visible: '733:733:', wal_position: '0/1A2B3C8', taken_at: date.toISOString(), schema_fingerprint: hex(next),
    },
  };
}

export function backups(): Backup[] {
  const next = random(7);
  const made: Backup[] = [];
  let time = Date.now() - 4 * 60_000;
  let rows = 110_000;
  for (let place = 0; place < 2000; place += 1) {
    const backup = backupAt(new Date(time), next, Math.round(rows));
    if (place === 0) backup.verification = { verified_at: new Date().toISOString(), damage: [] };
    if (backup.status === 'corrupt') {
      const damage = `chunk ${hex(next).slice(0, 12)} is damaged; it hurts ${backup.backup_id} (prefixes)`;
      backup.verification = { verified_at: new Date().toISOString(), damage: [damage] };
    }
    made.push(backup);
    rows *= 0.99985;
    time -= place < 900 ? HOUR * (0.9 + next() * 0.2) : HOUR * (4 + next() * 9);
  }
  return made;
}

export function counts(seed: number): Record<Dataset, Counts> {
  const next = random(seed);
  const one = (most: number): Counts => {
    const roll = () => (next() < 0.5 ? 0 : Math.floor(next() ** 4 * most));
    return { added: roll(), changed: roll(), touched: 0, removed: roll() };
  };
  return { vrfs: one(4), prefixes: one(900), vpcs: one(300), public_ips: one(60), idempotency_records: { added: 0, changed: 0, touched: 0, removed: 0 } };
}

function tags(next: () => number, owner: string): string {
  return JSON.stringify({ owner, site: `dc-${Math.floor(next() * 9)}`, env: next() < 0.5 ? 'prod' : 'stage' });
}

/** Changed prefixes below some sites, with a few VRFs, VPCs and public addresses. */
export function changes(): RowChange[] {
  const next = random(99);
  const found: RowChange[] = [
    { dataset: 'vrfs', table: 'vrf', key: 'prod-vrf-copy', kind: 'removed', cells: [
      { column: 'vrf_id', old: 'prod-vrf-copy', new: null }, { column: 'description', old: 'import of export (2) FINAL.xlsx', new: null }] },
  ];
  for (const vrf of ['lab-vrf', 'prod-vrf', 'transit-vrf']) {
    for (let site = 0; site < 5; site += 1) {
      for (let net = 0; net < 60; net += 1) {
        const cidr = net === 0 ? `10.${site * 16}.0.0/16` : `10.${site * 16}.${net}.0/24`;
        const key = `manual-${vrf}-${cidr.replace(/[./]/g, '-')}`;
        const kind = site === 1 ? 'added' : next() < 0.7 ? 'changed' : 'removed';
        const old = tags(next, 'netops');
        const row = (column: string, value: string) => ({ column, old: kind === 'added' ? null : value, new: kind === 'added' ? value : null });
        found.push({ dataset: 'prefixes', table: 'prefix', key, kind, cells: kind === 'changed'
          ? [{ column: 'tags', old, new: tags(next, 'cloud-team') }, { column: 'routable', old: 't', new: 'f' }]
          : [row('prefix_id', key), row('vrf_id', vrf), row('cidr', cidr), row('tags', old), row('routable', 't')] });
      }
    }
  }
  for (let vpc = 0; vpc < 12; vpc += 1) {
    const key = `799de922-53d5-4e5c-8974-5fc49acc65${10 + vpc}`;
    found.push({ dataset: 'vpcs', table: 'vpc', key, kind: 'added', cells: [
      { column: 'vpc_id', old: null, new: key }, { column: 'provider', old: null, new: 'aws' }, { column: 'provider_vpc_id', old: null, new: `vpc-0dc8a2fd66d071f${vpc}` }] });
  }
  return found;
}

export function sizes(): SizeSample[] {
  return Array.from({ length: 120 }, (_, place) => ({
    at: new Date(Date.now() - (119 - place) * 3 * 24 * HOUR).toISOString(),
    backups: 40 + place * 16,
    stored_bytes: 4_200_000 + place * 1_050_000 - (place % 20) * 180_000,
    logical_bytes: (40 + place * 16) * 24_000_000,
  }));
}
