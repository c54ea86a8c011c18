import { describe, expect, it } from 'vitest';
import { backup, health, schedule } from '@/testing/samples';
import { verdict, type Known } from './protection';

const NOW = new Date('2025-09-20T14:34:22Z');
const NEWEST = backup('20250920_143022');

function known(more: Partial<Known> = {}): Known {
  return { backups: [NEWEST], unreadable: 0, schedule: schedule('2025-09-20T15:30:22Z'), health: health(), silence: null, now: NOW, ...more };
}
const said = (more: Partial<Known>) => { const { word, sentence } = verdict(known(more)); return `${word} ${sentence}`; };

describe('the sentence of truth', () => {
  it('says that all is well, since when, and what comes next', () => {
    expect(said({})).toBe('Protected. Last backup 4 minutes ago, verified; next in 56 minutes.');
    expect(verdict(known())).toMatchObject({ level: 'good', mend: null });
  });

  it('offers to verify what is not verified yet', () => {
    const unproven = backup('20250920_143022', { verification: null });
    expect(verdict(known({ backups: [unproven] }))).toMatchObject({ level: 'good', mend: 'verify' });
  });

  it('says that nothing is scheduled', () => {
    expect(said({ schedule: schedule(null) })).toContain('; none is scheduled.');
  });

  it.each<[string, Partial<Known>, string, string]>([
    ['there is no backup', { backups: [] }, 'bad', 'back-up'],
    ['the newest is damaged', { backups: [backup('20250920_143022', { status: 'corrupt' })] }, 'bad', 'back-up'],
    ['the store cannot be used', { health: health({ store: 'read-only file system' }) }, 'bad', 'retry'],
    ['the database is out of reach', { health: health({ database: 'no answer' }) }, 'bad', 'retry'],
    ['the scheduled backup is late', { schedule: schedule('2025-09-20T14:00:00Z') }, 'bad', 'back-up'],
    ['an older backup is damaged', { backups: [NEWEST, backup('20250919_143022', { status: 'corrupt' })] }, 'notice', 'show-damaged'],
    ['a backup cannot be read', { unreadable: 1 }, 'notice', 'show-damaged'],
    ['the disk is nearly full', { health: health({ disk: '2 % free' }) }, 'notice', 'clean-up'],
    ['the last one is old and none is scheduled', { backups: [backup('20250917_143022')], schedule: schedule(null) }, 'notice', 'back-up'],
    ['the service does not answer', { silence: { status: 0, detail: 'No answer.' } }, 'bad', 'retry'],
    ['the service asks who it is', { silence: { status: 401, detail: '' } }, 'unknown', 'give-token'],
  ])('names the button that mends it when %s', (_, more, level, mend) => {
    expect(verdict(known(more))).toMatchObject({ level, mend });
  });

  it('tells why the last scheduled run failed, until a backup is made', () => {
    const failed = { ...schedule('2025-09-20T15:30:22Z'), last_run: { at: '2025-09-20T14:32:00Z', outcome: 'failed' as const, detail: 'the disk is full' } };
    expect(said({ schedule: failed })).toBe('Not protected. The scheduled backup 2 minutes ago failed: the disk is full.');
    const since = backup('20250920_143300');
    expect(verdict(known({ schedule: failed, backups: [since, NEWEST] })).level).toBe('good');
  });

  it('claims nothing before it knows', () => {
    expect(verdict(known({ backups: null })).level).toBe('unknown');
  });
});
