import { describe, expect, it } from 'vitest';
import { health } from '@/testing/samples';
import { verdict, type Known } from './protection';

function known(more: Partial<Known> = {}): Known {
  return { health: health(), failure: null, silence: null, current: true, ...more };
}
const judged = (cause: string, level = 'bad') => ({ ...health(), protection: { level, cause, word: 'Not protected.', sentence: 'It is so.' } }) as Known['health'];

describe('the verdict', () => {
  it('is grey as soon as the service tells of nothing any more', () => {
    expect(verdict(known({ current: false }))).toMatchObject({ level: 'unknown', word: 'Connection lost.', mend: 'retry' });
    expect(verdict(known({ silence: { code: 'no_answer', detail: 'It is gone.' } }))).toMatchObject({ level: 'unknown', word: 'Service unreachable.' });
  });

  it('is what the service says', () => {
    expect(verdict(known())).toEqual({ level: 'good', word: 'Protected.', sentence: 'Last backup 4 minutes ago, verified; next in 56 minutes.', mend: null });
  });

  it.each([
    ['no_backup', 'back-up'], ['newest_damaged', 'back-up'], ['store_unusable', 'retry'], ['database_unreachable', 'retry'],
    ['overdue', 'back-up'], ['older_damaged', 'show-damaged'], ['disk_filling', 'clean-up'], ['stale', 'back-up'],
    ['not_verified', 'verify'], ['clock_ahead', null],
  ])('offers the button that mends %s', (cause, mend) => {
    expect(verdict(known({ health: judged(cause) })).mend).toBe(mend);
  });

  it('tells those who may know why the scheduled backup failed', () => {
    const failed = { health: judged('scheduled_backup_failed'), failure: 'the disk is full' };
    expect(verdict(known(failed)).sentence).toBe('It is so: the disk is full.');
    expect(verdict(known({ ...failed, failure: null })).sentence).toBe('It is so.');
  });

  it('claims nothing of a service that does not answer, or before it does', () => {
    expect(verdict(known({ silence: { code: 'no_answer', detail: 'No answer.' } }))).toMatchObject({ level: 'unknown', mend: 'retry', word: 'Service unreachable.' });
    expect(verdict(known({ silence: { code: 'unauthenticated', detail: '' } }))).toMatchObject({ level: 'unknown', mend: 'give-token' });
    expect(verdict(known({ health: null })).level).toBe('unknown');
  });
});
