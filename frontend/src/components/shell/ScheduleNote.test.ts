import { flushPromises, mount } from '@vue/test-utils';
import { describe, expect, it, vi } from 'vitest';
import ScheduleNote from './ScheduleNote.vue';
import { useHealth } from '@/composables/useHealth';
import { api } from '@/services/api';
import { health, schedule } from '@/testing/samples';

describe('the note on the schedule', () => {
  it('tells how old the copy is, with or without a schedule', async () => {
    const known = health();
    vi.spyOn(api, 'live').mockResolvedValue({ status: 'success', reference: null, last_read: null });
    vi.spyOn(api, 'schedule').mockResolvedValue(schedule(null));
    vi.spyOn(api, 'health').mockResolvedValue(known);
    const { refresh } = useHealth();
    await refresh();
    const note = mount(ScheduleNote);
    expect(note.text()).toBe('');
    vi.spyOn(api, 'health').mockResolvedValue({ ...known, checks: { ...known.checks, copy: { ok: true, age_seconds: 7200, detail: '' } } });
    await refresh();
    await flushPromises();
    expect(note.text()).toMatch(/^copied to the other store 2 h/);
    vi.spyOn(api, 'schedule').mockResolvedValue(schedule('2025-09-20T15:00:00Z'));
    await refresh();
    await flushPromises();
    expect(note.text()).toMatch(/^Scheduled; the next backup is due at \d\d:00:00 .* · copied to the other store/);
    vi.spyOn(api, 'schedule').mockResolvedValue({ ...schedule(null), watch_seconds: 30 });
    await refresh();
    await flushPromises();
    expect(note.text()).toMatch(/^Looks for changes every 30 s/);
    vi.spyOn(api, 'schedule').mockResolvedValue({ ...schedule(null), retention_withheld: ['20250919_000000'] });
    await refresh();
    await flushPromises();
    expect(note.text()).toContain('would delete 1 backup and wait for serve --apply-retention');
  });
});
