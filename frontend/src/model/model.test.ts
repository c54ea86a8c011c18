import { describe, expect, it } from 'vitest';
import type { Restored } from '@/services/types';
import { backup, found, job, prefix, profile, tree } from '@/testing/samples';
import { callerOf, described, labelOf, latestOf, marksOf, readOf, restoredFrom, triggerOf } from './backup';
import { differences, readable, summary } from './cells';
import { actionName } from './audit';
import { ALL_CHANGES, asFoundQuery, nameOf } from './changes';
import { command, restoreCommand } from './command';
import { bytes, counted, duration, listed, ratio, step } from './format';
import { monthLabels, WEEKS, year } from './heat';
import { leftAsItWas, share, stepName, stepsOf } from './job';
import { putBack } from './restored';
import { asQuery, asWords, fromRetention, isAge, TEN_NEWEST } from './retention';
import { ago, dayKey, dayName, instant, instantOfId, span, until } from './time';
import { EVERYTHING, lines, matching } from './timeline';
import { damagedDatasets, damageIn, harmlessIn } from './verification';

describe('numbers', () => {
  it('are written as people read them', () => {
    expect([bytes(0), bytes(1023), bytes(1536), bytes(26.3 * 2 ** 20), bytes(5e12)]).toEqual(['0 B', '1023 B', '1.50 KiB', '26.3 MiB', '4.55 TiB']);
    expect([counted(1, 'row'), counted(2000, 'row'), ratio(10.64), ratio(1234)]).toEqual(['1 row', '2,000 rows', '10.6 : 1', '1,234 : 1']);
    expect([listed([]), listed(['a']), listed(['a', 'b', 'c'])]).toEqual(['', 'a', 'a, b and c']);
  });

  it('divide an axis at powers of two', () => {
    expect([step(100), step(2 ** 20)]).toEqual([32, 2 ** 18]);
  });
});

describe('times', () => {
  const now = new Date('2025-09-20T14:34:22Z');

  it('without a zone are UTC', () => {
    expect(instant('2025-09-20T14:30:22.123456').toISOString()).toBe('2025-09-20T14:30:22.123Z');
    expect(instantOfId('20250920_143022').toISOString()).toBe('2025-09-20T14:30:22.000Z');
  });

  it('are told from now', () => {
    expect(ago(new Date('2026-09-20T14:34:22Z'), now)).toBe('1 year in the future');
    expect([ago(now, now), ago(new Date('2025-09-20T14:30:22Z'), now), until(new Date('2025-09-20T15:30:22Z'), now)]).toEqual(['just now', '4 minutes ago', 'in 56 minutes']);
    expect([span(1), span(3600), span(86_400 * 400)]).toEqual(['1 second', '1 hour', '1 year']);
  });

  it('fall on days with names', () => {
    expect(dayKey(now, 'UTC')).toBe('2025-09-20');
    expect([dayName('2025-09-20', now, 'UTC'), dayName('2025-09-19', now, 'UTC'), dayName('2025-09-01', now, 'UTC')]).toEqual(['Today', 'Yesterday', 'Monday, 1 September 2025']);
  });
});

describe('backups', () => {
  it('tell what triggered them', () => {
    const by = (more: object) => triggerOf(backup('20250920_143022', more));
    expect([by({}), by({ created_by: 'schedule' }), by({ backup_type: 'pre-restore' })]).toEqual(['manual', 'scheduled', 'pre-restore']);
  });

  it('bear their marks, damage first and never beside “verified”', () => {
    const affected = backup('20250920_143022', { status: 'corrupt', pinned: true, restore_tested: true });
    expect(marksOf(affected)).toEqual(['corrupt', 'restore-tested', 'pinned']);
    expect(marksOf(backup('20250920_143022'))).toEqual(['verified']);
  });

  it('have labels, whose values may hold the sign that ends their names', () => {
    const said = ['change: CHG-20931', 'note=a=b', 'see=http://a/b:c', ' alone ', '=x'].map(labelOf);
    expect(said.map(({ name, value }) => [name, value])).toEqual([['change', 'CHG-20931'], ['note', 'a=b'], ['see', 'http://a/b:c'], ['alone', ''], ['', 'x']]);
  });

  it('that were taken before a restore name what was restored', () => {
    const safety = backup('20250920_143022', { backup_type: 'pre-restore', description: 'Before restore of 20250919_000000' });
    expect(restoredFrom(safety)).toBe('20250919_000000');
    expect(restoredFrom({ ...safety, description: 'Before restore of 20250919_000000: Known good' })).toBe('20250919_000000');
    const [older, only] = [backup('20250919_000000'), [safety]];
    expect(latestOf([safety, older])).toBe(older);
    expect(latestOf(only)).toBe(safety);
  });
});

describe('the timeline', () => {
  const all = [backup('20250920_143022', { description: 'Before VLAN import' }), backup('20250920_010000', { created_by: 'schedule' }), backup('20250919_230000', { pinned: true, labels: { change: 'CHG-1' } })];
  const ids = (filter: object) => matching(all, { ...EVERYTHING, ...filter }, 'UTC').map((one) => one.backup_id);

  it('puts a line before each day', () => {
    expect(lines(all, 'UTC').map((line) => line.key)).toEqual(['day 2025-09-20', '20250920_143022', '20250920_010000', 'day 2025-09-19', '20250919_230000']);
    expect(lines(all, 'UTC')[0]).toMatchObject({ backups: 2 });
  });

  it('is searched word by word, in labels, too', () => {
    expect(ids({ text: 'import vlan' })).toEqual(['20250920_143022']);
    expect(ids({ text: 'chg-1' })).toEqual(['20250919_230000']);
    expect(ids({ text: 'nothing' })).toEqual([]);
  });

  it('is filtered by trigger, mark and day together', () => {
    expect(ids({ triggers: ['scheduled'] })).toEqual(['20250920_010000']);
    expect(ids({ marks: ['pinned'] })).toEqual(['20250919_230000']);
    expect(ids({ day: '2025-09-20', triggers: ['manual'] })).toEqual(['20250920_143022']);
  });

  it('shows a year of weeks that ends today', () => {
    const weeks = year(all, new Date('2025-09-20T12:00:00Z'), 'UTC');
    const days = weeks.flat();
    expect(weeks).toHaveLength(WEEKS);
    expect(days.find((day) => day.day === '2025-09-20')).toMatchObject({ backups: 2, level: 4, future: false });
    expect(days.filter((day) => day.future).map((day) => day.day)).toEqual(['2025-09-21']);
    expect(monthLabels(weeks).map((label) => label.name)).toContain('Jan');
  });
});

describe('changes', () => {
  it('are asked for by words, dataset and kinds; those that were only touched on demand', () => {
    expect(asFoundQuery(ALL_CHANGES)).toEqual({ q: undefined, dataset: undefined, kind: undefined, touched: false });
    const filter = { text: ' 10.2.0.0/16 ', dataset: 'vrfs', kinds: ['added' as const], touched: true };
    expect(asFoundQuery(filter)).toEqual({ q: '10.2.0.0/16', dataset: 'vrfs', kind: 'added', touched: undefined });
    expect(asFoundQuery({ ...ALL_CHANGES, kinds: [] })).toBeNull();
  });

  it('are named by network and group, also where these did not change', () => {
    const change = { ...found('prod-vrf', '10.1.0.0/16', 'changed'), cells: [{ column: 'tags', old: '{}', new: '{"a":1}' }] };
    expect(nameOf(change, tree, ['cidr'])).toEqual({ name: '10.1.0.0/16', group: 'prod-vrf' });
    const vrf = { ...change, table: 'vrf', key: 'blue', identity: { vrf_id: 'blue' } };
    expect(nameOf(vrf, tree, ['description', 'vrf_id'])).toEqual({ name: '', group: '' });
  });

  it('tell a tag that is not there from one that is null', () => {
    const cell = { column: 'tags', old: '{"a": null}', new: '{"b": "1"}' };
    expect(differences(cell)).toEqual([{ name: 'tags.a', old: null, new: undefined }, { name: 'tags.b', old: undefined, new: '1' }]);
    expect([readable(undefined), readable(null), readable('')]).toEqual(['not set', 'null', 'empty']);
  });

  it('take JSON cells apart, key by key', () => {
    const cell = { column: 'tags', old: '{"owner": "netops", "site": "a"}', new: '{"owner": "cloud", "site": "a"}' };
    expect(differences(cell)).toEqual([{ name: 'tags.owner', old: 'netops', new: 'cloud' }]);
    expect(differences({ column: 'tags', old: null, new: '{}' })).toEqual([{ name: 'tags', old: null, new: '{}' }]);
    expect(differences({ column: 'tags', old: '{broken', new: '{}' })).toHaveLength(1);
  });

  it('are readable', () => {
    expect([readable(null), readable('t'), readable('f'), readable(''), readable('x')]).toEqual(['null', 'true', 'false', 'empty', 'x']);
    expect(summary(prefix('prod-vrf', '10.1.0.0/16').cells, profile.summary_columns)).toBe('10.1.0.0/16 · prod-vrf');
  });
});

describe('jobs', () => {
  it('tell how far they are', () => {
    const { progress } = job('a');
    expect([share(progress), share({ ...progress, total_bytes: null }), share({ ...progress, phase: 'done' })]).toEqual([0.5, null, 1]);
  });

  it('go through their steps, and stop at the one that failed', () => {
    const restore = job('a', { kind: 'restore', progress: { ...job('a').progress, phase: 'applying' } });
    expect(stepsOf(restore).map((step) => step.state)).toEqual(['done', 'done', 'done', 'done', 'active', 'waiting', 'waiting']);
    expect(stepsOf({ ...restore, state: 'failed' })[4]?.state).toBe('failed');
    expect(stepsOf({ ...restore, state: 'succeeded' }).every((step) => step.state === 'done')).toBe(true);
  });
});

describe('an import', () => {
  it('says that it reads the archive', () => {
    const phase = (phase: 'starting' | 'importing') => stepName(job('a', { kind: 'import', progress: { ...job('a').progress, phase } }));
    expect([phase('starting'), phase('importing')]).toEqual(['Starting', 'Read the archive']);
  });
});

describe('a restore', () => {
  const failed = (code: string) => job('a', { kind: 'restore', state: 'failed', problem: { type: 'about:blank', title: '', status: 500, detail: '', code } });

  it('is said to have changed nothing only where that is certain', () => {
    expect([failed('damaged'), failed('busy'), job('a', { state: 'cancelled' })].map(leftAsItWas)).toEqual([true, true, true]);
    const unsure = [failed('failed'), failed('outcome_unknown'), job('a', { state: 'interrupted' }), job('a'), job('a', { state: 'succeeded' }), null];
    expect(unsure.some(leftAsItWas)).toBe(false);
  });

  it('promises an undo only where the state before is kept', () => {
    const said = (safety: boolean | null) => stepsOf(failed('failed'), safety).map((step) => step.explains).join(' ');
    expect(said(true)).toContain('the way to undo this.');
    expect(said(true)).toContain('and can be undone');
    expect(said(false)).toContain('there is no Undo');
    expect(said(false)).not.toContain('can be undone');
    expect(said(null)).toContain('unless that was switched off');
    expect(said(null)).not.toContain('can be undone');
  });

  it('says which rows it put back', () => {
    const restored = (datasets: object) => ({ restore_results: { ...datasets, other_rows: [], safety_backup: null, proven: true } }) as unknown as Restored;
    const rows = (inserted: number, deleted: number) => ({ inserted, updated: 0, deleted, unchanged: 5 });
    expect(putBack(restored({ vrfs: rows(0, 1), prefixes: rows(60, 40), vpcs: rows(0, 0) }), profile)).toBe('101 rows of VRFs and Prefixes');
    expect(putBack(restored({ vrfs: rows(0, 0) }), profile)).toBe('no row differed');
  });
});

describe('a verification of everything', () => {
  const report = (affected: number, elsewhere: string[] = []) => ({
    status: '', elsewhere,
    backups: Array.from({ length: 9 }, (_, place) => ({ backup_id: `b${place}`, intact: place >= affected, rows: 1, damage: [] })),
  });
  const found = (affected: number, elsewhere: string[] = []) => damageIn(report(affected, elsewhere));
  const harmless = (elsewhere: string[]) => harmlessIn(report(0, elsewhere));

  it('names what is damaged, in the backups and beside them', () => {
    expect(found(0)).toBeNull();
    expect(found(1)).toBe('1 backup damaged: b0.');
    expect(found(5)).toBe('5 backups damaged: b0, b1, b2 and 2 more backups.');
    expect(found(0, ['pack x is cut off'])).toBeNull();
    expect(harmless([])).toBeNull();
    expect(harmless(['pack x is cut off'])).toBe('No backup is affected; the next cleanup repairs: pack x is cut off.');
  });
});

describe('commands', () => {
  it('are what a shell takes', () => {
    expect(command('history', 'prefix', "it's a key")).toBe(String.raw`ipam-rewind history prefix 'it'\''s a key'`);
    expect(restoreCommand('20250920_143022', { datasets: [], vrf: '', safety: true, merge: true })).toBe('ipam-rewind restore 20250920_143022 --merge');
    expect(restoreCommand('20250920_143022', { datasets: ['vrfs', 'vpcs'], vrf: 'prod-vrf', safety: false })).toBe('ipam-rewind restore 20250920_143022 --dataset vrfs --dataset vpcs --vrf prod-vrf --no-safety-backup');
  });

  it('keep what the rules keep', () => {
    const keep = fromRetention({ last: 5, hourly: 0, daily: 7, weekly: 0, monthly: 0, yearly: 0, within: null, pre_restore_within: '14d', automatic_within: '1h' });
    expect(asQuery(keep)).toEqual({ keep: 5, keep_daily: 7, keep_pre_restore: '14d' });
    expect(asWords(keep)).toEqual(['5', '--keep-daily', '7', '--keep-pre-restore', '14d']);
    expect(fromRetention(null)).toEqual(TEN_NEWEST);
  });
});

describe('one word for each thing', () => {
  it('shows the name that nobody gave in the time zone of the page', () => {
    const name = 'Before restore of 20250920_143022: Backup created on 2025-09-20 14:30:22';
    expect(described(name, 'UTC')).toBe('Before restore of 20250920_143022: Backup created on 20 Sept 2025, 14:30:22');
    expect(described('Before the import', 'UTC')).toBe('Before the import');
  });

  it('calls whoever is at the machine of the service the same everywhere', () => {
    expect([callerOf('local'), callerOf('system'), callerOf('alice')]).toEqual(['system', 'system', 'alice']);
  });

  it('names actions in words, and those that it does not know as they are', () => {
    expect([actionName('backup'), actionName('POST /api/backup'), actionName('PUT /x')]).toEqual(['Backup', 'Asked for a backup', 'PUT /x']);
  });

  it('names the datasets that damage affects', () => {
    const of = (damage: string[]) => damagedDatasets(damage, '20250920_143022', ['vrfs', 'vpcs', 'prefixes']);
    expect(of(['pack 1 is damaged; it affects 20250919_143022 (vrfs), 20250920_143022 (vpcs, prefixes)'])).toEqual(['vpcs', 'prefixes']);
    expect(of(['its manifest is damaged'])).toEqual(['vrfs', 'vpcs', 'prefixes']);
    expect(of([])).toEqual([]);
  });

  it('takes a number of hours, days or weeks for a length of time', () => {
    expect(['', '36h', ' 2w '].every(isAge)).toBe(true);
    expect(['soon', '3', 'd', '-1d'].some(isAge)).toBe(false);
  });
});

describe('a backup that the program made since something had changed', () => {
  const automatic = (time: string, more = {}) => backup(`20250920_${time}`, { automatic: true, created_by: 'watch', ...more });
  const kinds = (found: ReturnType<typeof lines>) => found.map((line) => line.kind);

  it('is told from others, and says what it read', () => {
    expect(triggerOf(automatic('143022'))).toBe('automatic');
    expect(readOf(backup('20250920_143022'))).toBe('not recorded');
    const capture = { mode: 'changes' as const, base: '20250920_143022', rows_read: 1 };
    expect(readOf(backup('20250920_143052', { capture }))).toBe('1 row that changed since 20250920_143022');
    expect(readOf(backup('20250920_143052', { capture: { mode: 'full', reason: 'it was asked for', rows_read: 2000 } }))).toBe('all 2,000 rows, as it was asked for');
    expect([duration(340), duration(1234)]).toEqual(['340 ms', '1.2 s']);
  });

  it('is folded with its neighbours, as long as nobody has an interest in one', () => {
    const run = ['143400', '143330', '143300', '143230'].map((time) => automatic(time));
    const manual = backup('20250920_143000');
    const hidden = () => false;
    const found = lines([...run, manual], 'UTC', hidden);
    expect(kinds(found)).toEqual(['day', 'run', 'backup']);
    expect(found[1]).toMatchObject({ key: 'run 20250920_143230', backups: run });
    expect(kinds(lines([...run, manual], 'UTC', (key) => key === 'run 20250920_143230'))).toEqual(['day', 'backup', 'backup', 'backup', 'backup', 'backup']);
    expect(kinds(lines(run.slice(0, 2), 'UTC', hidden))).toEqual(['day', 'backup', 'backup']);
    const pinned = [run[0], automatic('143330', { pinned: true }), ...run.slice(2)].filter((one) => one !== undefined);
    expect(kinds(lines(pinned, 'UTC', hidden))).toEqual(['day', 'backup', 'backup', 'backup', 'backup']);
  });
});
