import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createMemoryHistory, createRouter } from 'vue-router';
import TimelineMenu from './TimelineMenu.vue';
import UndoBar from './UndoBar.vue';
import DiskBar from '@/components/statistics/DiskBar.vue';
import LabelEditor from '@/components/backup/LabelEditor.vue';
import { useBackups } from '@/composables/useBackups';
import { useJobs } from '@/composables/useJobs';
import { useSession } from '@/composables/useSession';
import { api, jobs } from '@/services/api';
import { backup, job } from '@/testing/samples';

const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', component: { template: '<i />' } }] });
const global = { plugins: [router] };
useSession().session.value = { status: 'success', name: 'alice', role: 'admin', authentication: 'token', version: '0', database: true };

enableAutoUnmount(afterEach);
afterEach(() => {
  vi.restoreAllMocks();
  document.body.innerHTML = '';
});

describe('a verification of everything', () => {
  async function verified(elsewhere: string[]) {
    const done = job(crypto.randomUUID(), { kind: 'verify', state: 'succeeded', result: { status: '', backups: [{ backup_id: 'b', intact: true, rows: 1, damage: [] }], elsewhere } as never });
    vi.spyOn(jobs, 'verify').mockResolvedValue(done);
    vi.spyOn(api, 'job').mockResolvedValue(done);
    const menu = mount(TimelineMenu, { global });
    menu.getComponent({ name: 'ElDropdown' }).vm.$emit('command', 'verify');
    await flushPromises();
    const message = document.querySelector('.el-message');
    return { text: message?.textContent ?? '', isError: message?.classList.contains('el-message--error') };
  }

  it('says that all is whole only if the store is, too', async () => {
    expect(await verified([])).toMatchObject({ text: expect.stringContaining('1 backup verified: no damage') as string, isError: false });
    document.body.innerHTML = '';
    expect(await verified(['pack x is cut off'])).toMatchObject({ text: expect.stringContaining('pack x is cut off') as string, isError: false });
  });
});

describe('the bar of the last restore', () => {
  it('says what was put back, since it may have been a part', async () => {
    const at = (ago: number) => new Date(Date.now() - ago).toISOString();
    const safety = backup('20250920_143022', { backup_type: 'pre-restore', created_at: at(2000) });
    vi.spyOn(api, 'backups').mockResolvedValue({ status: 'success', count: 1, backups: [{ ...safety, backup_path: '', age_days: 0 }] });
    await useBackups().refresh();
    const restore = job('u1', { kind: 'restore', target: '20250919_143022', state: 'succeeded', started_at: at(3000), finished_at: at(1000) });
    const rows = { inserted: 0, updated: 0, deleted: 2, unchanged: 9 };
    vi.spyOn(api, 'job').mockResolvedValue({ ...restore, result: { restore_results: { vrfs: rows, other_rows: [], safety_backup: safety.backup_id, proven: true } } as never });
    useJobs().take(restore);
    const bar = mount(UndoBar, { global });
    await flushPromises();
    expect(bar.text()).toMatch(/Put back to .*, by alice: 2 rows of VRFs\./);
    expect(bar.text()).not.toContain('The plan');
  });
});

describe('a label', () => {
  it('is kept as it was typed', async () => {
    const described = vi.spyOn(api, 'describe').mockRejectedValue(new TypeError('network'));
    const editor = mount(LabelEditor, { props: { backup: backup('20250920_143022') } });
    await editor.get('input').setValue('note=a=b');
    await editor.get('form').trigger('submit');
    expect(described).toHaveBeenCalledWith('20250920_143022', { labels: { note: 'a=b' } });
  });
});

describe('the disk', () => {
  it('promises nothing where no date can be told', () => {
    const shown = (full_in_days: number | null) => mount(DiskBar, { props: { stored: 1, disk: { total_bytes: 100, available_bytes: 50, full_in_days } } }).text();
    expect(shown(null)).toContain('cannot be told');
    expect(shown(null)).not.toContain('does not fill up');
    expect(shown(40)).toContain('full in 1 month');
  });
});
