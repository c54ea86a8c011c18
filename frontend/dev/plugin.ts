/** Answers the service's calls from a made-up site: `npm run dev:sample`. Never part of the page. */
import { profile } from '../src/testing/samples.ts';
import type { ServerResponse } from 'node:http';
import type { Connect, Plugin } from 'vite';
import type { Backup, Counts, Dataset, Job } from '../src/services/types';
import { backupAt, backups, changes, counts, random, sizes } from './sample.ts';
import { Work } from './work.ts';

type Answer = (match: string[], query: URLSearchParams, body: string) => unknown;

const list = backups();
const work = new Work();
const next = random(Date.now());
const HOUR = 3_600_000;
const bytes = (of: Backup[]) => of.reduce((sum, one) => sum + one.added_size, 0);

function publish(description: string, kind: Backup['backup_type'] = 'full'): Backup {
  const made = { ...backupAt(new Date(), next, 110_000), description, backup_type: kind, created_by: 'local', verification: null };
  list.unshift(made);
  return made;
}

function restored(id: string) {
  const done = (inserted: number, updated: number, deleted: number) => ({ inserted, updated, deleted, unchanged: 68_000 });
  const datasets = { vrfs: done(0, 0, 1), prefixes: done(180, 519, 201), vpcs: done(12, 0, 0), public_ips: done(0, 0, 0) };
  const safety = publish(`Before restore of ${id}`, 'pre-restore');
  return { status: 'success', message: `Backup ${id} restored`, backup_id: id, timestamp: new Date().toISOString(), restore_results: { ...datasets, other_rows: [], safety_backup: safety.backup_id, proven: true, partial: false, target: HERE } };
}

const HERE = { database: 'prefix_management', server: 'db:5432', system_identifier: '7400000000000000000' };

function preview(id: string) {
  const row = changes();
  const datasets = { vrfs: { inserted: 0, updated: 0, deleted: 1, unchanged: 220 }, prefixes: { inserted: 180, updated: 519, deleted: 201, unchanged: 68_000 }, vpcs: { inserted: 12, updated: 0, deleted: 0, unchanged: 33_000 }, public_ips: { inserted: 0, updated: 0, deleted: 0, unchanged: 8_580 } };
  return { status: 'success', backup_id: id, partial: false, datasets, other_rows: [], touched: 14, changes: row, truncated: false, missing_tables: [], source: HERE, target: HERE, other_database: null };
}

function cleanup(query: URLSearchParams) {
  const keep = Number(query.get('keep') ?? 10);
  const judge = (backup: Backup, place: number) => ({ backup_id: backup.backup_id, description: backup.description, kept_because: [...(backup.pinned ? ['pinned'] : []), ...(place < keep ? ['last'] : [])] });
  const judged = list.map(judge);
  const deleted = judged.filter((one) => one.kept_because.length === 0);
  const gone = new Set(deleted.map((one) => one.backup_id));
  const freed = { bytes: bytes(list.filter((one) => gone.has(one.backup_id))), pending_bytes: 0, packs: 40 };
  const dry = query.get('dry_run') === 'true';
  if (!dry) list.splice(0, list.length, ...list.filter((one) => !gone.has(one.backup_id)));
  return { status: 'success', message: '', dry_run: dry, deleted, kept: judged.filter((one) => one.kept_because.length > 0), freed };
}

function verify(body: string) {
  const ids = (JSON.parse(body || '{}') as { backups?: string[] }).backups ?? [];
  const chosen = list.filter((one) => ids.length === 0 || ids.includes(one.backup_id));
  for (const one of chosen) one.verification = { verified_at: new Date().toISOString(), damage: one.verification?.damage ?? [] };
  return { status: 'success', elsewhere: [], backups: chosen.map((one) => ({ backup_id: one.backup_id, intact: one.status === 'completed', rows: 110_000, damage: one.verification?.damage ?? [] })) };
}

function diff(from = '', to = '') {
  const rows = changes();
  const datasets: Partial<Record<Dataset, Counts>> = {};
  for (const { dataset, kind } of rows) {
    const sum = (datasets[dataset] ??= { added: 0, changed: 0, touched: 0, removed: 0 });
    sum[kind] += 1;
  }
  return { status: 'success', from, to, identical: false, datasets, changes: rows, truncated: false };
}

function history(table = '', key = '') {
  const at = (place: number) => { const one = list[place]; return { backup_id: one?.backup_id ?? '', timestamp: one?.timestamp ?? '' }; };
  const cell = (old: string, value: string) => [{ column: 'tags', old: `{"owner":"${old}"}`, new: `{"owner":"${value}"}` }];
  return { status: 'success', table, key, backups: list.length, versions: [
    { kind: 'changed', touched: false, dataset: 'prefixes', first: at(40), last: at(0), backups: 41, cells: cell('netops', 'cloud-team') },
    { kind: 'added', touched: false, dataset: 'prefixes', first: at(300), last: at(41), backups: 260, cells: [{ column: 'cidr', old: null, new: '10.16.0.0/16' }] },
    { kind: 'removed', touched: false, dataset: 'prefixes', first: at(320), last: at(301), backups: 20, cells: [{ column: 'cidr', old: '10.16.0.0/16', new: null }] },
    { kind: 'unchanged', touched: false, dataset: 'prefixes', first: at(1999), last: at(321), backups: 1679, cells: [{ column: 'cidr', old: null, new: '10.16.0.0/16' }] }] };
}

const ok = { ok: true, detail: 'fine' };
const find = (id?: string) => list.find((one) => one.backup_id === id);
const job = (made: Job) => ({ status: 'accepted', job: made });
const ROUTES: [string, RegExp, Answer][] = [
  ['GET', /^\/api\/profile$/, () => profile],
  ['GET', /^\/api\/session$/, () => ({ name: 'local', role: 'admin', authentication: 'none', version: '0.1.0', database: true })],
  ['GET', /^\/api\/health$/, () => ({ status: 'ok', version: '0.1.0', checks: { store: ok, database: ok, schedule: ok, verification: ok, disk: ok, scratch: ok, last_backup: { ...ok, backup_id: list[0]?.backup_id, age_seconds: 240 } } })],
  ['GET', /^\/api\/schedule$/, () => ({ time_zone: 'UTC', schedules: [{ expression: '0 * * * *', next_at: new Date(Date.now() + 56 * 60_000).toISOString() }], retention: { last: 10, hourly: 48, daily: 30, weekly: 12, monthly: 24, yearly: 5, within: null, pre_restore_within: '14d' }, last_run: { at: new Date(Date.now() - 4 * 60_000).toISOString(), outcome: 'succeeded', backup_id: list[0]?.backup_id }, verification: { period_days: 7, next_at: new Date(Date.now() + 3 * HOUR).toISOString(), oldest_proven_at: new Date(Date.now() - 6 * 24 * HOUR).toISOString() } })],
  ['GET', /^\/api\/backups$/, () => ({ status: 'success', backups: list, count: list.length })],
  ['GET', /^\/api\/backup\/(\w+)$/, ([id]) => { const one = find(id); return one && { backup_info: { ...one, files_info: Object.entries(one.files).map(([name, file]) => ({ name: file, size: one.datasets[name as Dataset]?.bytes ?? 0, modified: one.timestamp })) }, total_size: one.size, age_days: 0 }; }],
  ['PATCH', /^\/api\/backup\/(\w+)$/, ([id], _, body) => ({ backup_info: Object.assign(find(id) ?? {}, JSON.parse(body)) })],
  ['GET', /^\/api\/backup\/(\w+)\/changes$/, ([id]) => ({ backup_id: id, before: list[list.findIndex((one) => one.backup_id === id) + 1]?.backup_id ?? null, datasets: counts(Number(id?.slice(9)) * 31) })],
  ['POST', /^\/api\/backup$/, (_, query) => job(work.start('backup', null, () => { const made = publish(query.get('description') ?? ''); return { status: 'success', backup_id: made.backup_id, backup_info: made }; }))],
  ['POST', /^\/api\/preview\/(\w+)$/, ([id]) => job(work.start('preview', id ?? null, () => preview(id ?? '')))],
  ['POST', /^\/api\/restore\/(\w+)$/, ([id]) => job(work.start('restore', id ?? null, () => restored(id ?? '')))],
  ['POST', /^\/api\/verify$/, (_, __, body) => job(work.start('verify', null, () => verify(body)))],
  ['POST', /^\/api\/cleanup$/, (_, query) => (query.get('dry_run') === 'true' ? cleanup(query) : job(work.start('cleanup', null, () => cleanup(query))))],
  ['DELETE', /^\/api\/backup\/(\w+)$/, ([id], query) => { const gone = { status: 'success', message: '', freed: { bytes: find(id)?.added_size ?? 0, pending_bytes: 0, packs: 1 } }; return query.get('dry_run') === 'true' ? gone : job(work.start('delete', id ?? null, () => { list.splice(list.findIndex((one) => one.backup_id === id), 1); return gone; })); }],
  ['GET', /^\/api\/diff\/(\w+)\/(\w+)$/, ([from, to]) => (to === 'live' || from === 'live' ? job(work.start('diff', null, () => diff(from, to))) : diff(from, to))],
  ['GET', /^\/api\/history\/(\w+)\/(.+)$/, ([table, key]) => history(table, key)],
  ['GET', /^\/api\/statistics$/, () => ({ status: 'success', backups: list.length, logical_bytes: 48e9, unique_bytes: 1.1e9, stored_bytes: 131e6, chunks: 48_210, packs: 412, dedup_ratio: 43.6, compression_ratio: 8.4, total_ratio: 366, costs: list.map((one) => ({ backup_id: one.backup_id, size: one.size, added_size: one.added_size, exclusive_size: Math.round(one.added_size * 0.4) })), disk: { total_bytes: 100e9, available_bytes: 61e9, full_in_days: 412 } })],
  ['GET', /^\/api\/statistics\/history$/, () => ({ status: 'success', sizes: sizes() })],
  ['GET', /^\/api\/jobs$/, () => ({ status: 'success', jobs: work.jobs })],
  ['GET', /^\/api\/jobs\/([\w-]+)$/, ([id]) => job(work.jobs.find((one) => one.job_id === id) as Job)],
  ['POST', /^\/api\/jobs\/([\w-]+)\/cancel$/, ([id]) => { const found = work.jobs.find((one) => one.job_id === id) as Job; work.cancel(found); return job(found); }],
  ['GET', /^\/api\/audit$/, () => ({ status: 'success', entries: list.slice(0, 40).map((one) => ({ at: one.created_at, who: one.created_by, role: 'operator', action: 'backup', target: one.backup_id, outcome: 'succeeded' })) })],
];

function stream(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.write(': hello\n\n');
  let id = 0;
  const stop = work.listen((told) => { id += 1; response.write(`id: ${id}\nevent: job\ndata: ${JSON.stringify(told)}\n\n`); });
  response.on('close', stop);
}

function respond(response: ServerResponse, method: string, url: URL, body: string): void {
  for (const [verb, path, answer] of ROUTES) {
    const match = verb === method ? path.exec(decodeURIComponent(url.pathname)) : null;
    const found = match && answer(match.slice(1), url.searchParams, body);
    if (!found) continue;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(found));
    return;
  }
  response.writeHead(404, { 'Content-Type': 'application/problem+json' });
  response.end(JSON.stringify({ title: 'No such thing', status: 404, detail: `Nothing at ${url.pathname}.`, code: 'no_such_route' }));
}

const POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

function answer(request: Connect.IncomingMessage, response: ServerResponse, pass: () => void): void {
  const url = new URL(request.url ?? '/', 'http://sample');
  if (!url.pathname.startsWith('/api/')) { pass(); return; }
  if (url.pathname === '/api/events') { stream(response); return; }
  let body = '';
  request.on('data', (chunk: Buffer) => { body += chunk.toString(); });
  request.on('end', () => { respond(response, request.method ?? 'GET', url, body); });
}

export function sampleService(): Plugin {
  return {
    name: 'sample-service',
    configureServer(server) { server.middlewares.use(answer); },
    // The built page, under the strict policy that it must work with.
    configurePreviewServer(server) {
      server.middlewares.use((request, response, pass) => {
        response.setHeader('Content-Security-Policy', POLICY);
        answer(request, response, pass);
      });
    },
  };
}
