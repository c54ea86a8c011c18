import { enableAutoUnmount, flushPromises, mount, type VueWrapper } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nextTick, type Component } from 'vue';
import { createMemoryHistory, createRouter, type Router } from 'vue-router';
import CleanupPage from './CleanupPage.vue';
import RestorePage from './RestorePage.vue';
import StatisticsPage from './StatisticsPage.vue';
import TimelinePage from './TimelinePage.vue';
import KeepRules from '@/components/cleanup/KeepRules.vue';
import { useBackups } from '@/composables/useBackups';
import { useJobs } from '@/composables/useJobs';
import { useSession } from '@/composables/useSession';
import { TEN_NEWEST } from '@/model/retention';
import { api, jobs } from '@/services/api';
import { ServiceError } from '@/services/problem';
import type { CleanupReport, Job, Role } from '@/services/types';
import { backup, job } from '@/testing/samples';

const ID = '20250920_143022';
const { take } = useJobs();
let router: Router;

beforeEach(async () => {
  router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', component: { template: '<i />' } }] });
  await router.push('/');
});
enableAutoUnmount(afterEach);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  document.body.innerHTML = '';
});

function sign(role: Role): void {
  useSession().session.value = { status: 'success', name: 'alice', role, authentication: 'token', version: '0', database: true };
}
function show(page: Component, props: Record<string, unknown> = {}, shallow = false) {
  return mount(page, { props, shallow, global: { plugins: [router] } });
}
async function press(page: VueWrapper, name: RegExp): Promise<void> {
  await page.findAll('button').find((button) => name.test(button.text()))?.trigger('click');
  await flushPromises();
}
const list = (...ids: string[]) => vi.spyOn(api, 'backups').mockResolvedValueOnce({ status: 'success', count: ids.length, backups: ids.map((id) => ({ ...backup(id), backup_path: '', age_days: 0 })) });
const problem = (code: string, status = 500) => ({ type: 'about:blank', title: 'It failed', status, detail: `because of ${code}`, code });
const restore = (id: string, more: Partial<Job> = {}) => job(id, { kind: 'restore', target: ID, ...more });

describe('the page of a restore', () => {
  beforeEach(() => {
    sign('admin');
    vi.spyOn(jobs, 'preview').mockRejectedValue(new TypeError('network'));
  });

  async function about(id: string) {
    await router.push(`/restore/${ID}?job=${id}`);
    const page = show(RestorePage, { id: ID });
    await flushPromises();
    return page;
  }

  it('says that the database is as it was only where that is certain', async () => {
    take(restore('r1', { state: 'failed', problem: problem('damaged') }));
    expect((await about('r1')).text()).toContain('The database is as it was');
    take(restore('r2', { state: 'failed', problem: problem('failed') }));
    const unsure = (await about('r2')).text();
    expect(unsure).toContain('because of failed');
    expect(unsure).not.toContain('as it was');
    expect(unsure).toContain('Compare with live');
  });

  it('goes on where a cancel is refused, and says why elsewhere', async () => {
    take(restore('r3'));
    vi.spyOn(jobs, 'cancel').mockRejectedValue(new ServiceError(problem('not_cancellable', 409)));
    const page = await about('r3');
    await press(page, /Cancel/);
    expect(document.body.textContent).toContain('because of not_cancellable');
    expect(page.find('[role=alert]').exists()).toBe(false);
    expect(page.find('[aria-label="Progress of the restore"]').exists()).toBe(true);
    take(restore('r3', { state: 'cancelled', problem: problem('cancelled', 409) }));
  });

  it('asks again after a restore that it could not ask after, and claims nothing meanwhile', async () => {
    const asked = vi.spyOn(api, 'job').mockRejectedValueOnce(new TypeError('network'));
    const page = await about('r4');
    expect(page.text()).toContain('does not answer');
    expect(page.text()).not.toContain('as it was');
    asked.mockResolvedValueOnce(restore('r4'));
    await press(page, /Try again/);
    expect(page.find('[aria-label="Progress of the restore"]').exists()).toBe(true);
    take(restore('r4', { state: 'failed', problem: problem('busy', 409) }));
    await flushPromises();
    await press(page, /Try again/);
    expect(page.text()).toContain('Restore only part');
  });

  it('says why a restore could not be begun', async () => {
    vi.mocked(jobs.preview).mockResolvedValue(job('p1', { kind: 'preview', state: 'succeeded' }));
    const nothing = { status: 'success', backup_id: ID, fingerprint: 'ab'.repeat(32), as_of: '2025-09-20T14:30:22Z', datasets: {}, other_rows: [], touched: 0, changes: [], truncated: false, missing_tables: [], source: { database: 'ipam', server: 'db:5432', system_identifier: null }, target: { database: 'ipam', server: 'db:5432', system_identifier: null }, other_database: null };
    vi.spyOn(api, 'job').mockResolvedValue(job('p1', { state: 'succeeded', result: nothing as never }));
    vi.spyOn(jobs, 'restore').mockRejectedValue(new ServiceError(problem('busy', 409)));
    const page = show(RestorePage, { id: ID });
    await flushPromises();
    await page.get('#confirmation').setValue(ID);
    await page.get('form.confirm').trigger('submit');
    await flushPromises();
    expect(page.text()).toContain('because of busy');
  });
});

describe('the page of a cleanup', () => {
  const report = (gone: number) => ({ status: 'success', message: '', dry_run: true, kept: [], freed: { bytes: 1, pending_bytes: 0, packs: 1 }, deleted: Array.from({ length: gone }, (_, place) => ({ backup_id: `2025092${place}_143022`, description: '', kept_because: [] })) }) as unknown as CleanupReport;
  const button = (page: VueWrapper) => page.findAll('button').find((one) => one.text().startsWith('Delete'));
  const isOff = (page: VueWrapper) => button(page)?.attributes('disabled') !== undefined;

  it('deletes only what was previewed, by just the rules of the preview', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    sign('admin');
    const asked = vi.spyOn(api, 'cleanup').mockResolvedValueOnce(report(1)).mockRejectedValueOnce(new TypeError('network')).mockResolvedValueOnce(report(3));
    const begun = vi.spyOn(jobs, 'cleanup').mockRejectedValue(new TypeError('network'));
    const page = show(CleanupPage);
    await flushPromises();
    expect(isOff(page)).toBe(false);

    page.getComponent(KeepRules).vm.$emit('update:modelValue', { ...TEN_NEWEST, keep: 2 });
    await nextTick();
    expect(isOff(page), 'the preview is of other rules').toBe(true);
    await vi.advanceTimersByTimeAsync(400);
    await flushPromises();
    expect(isOff(page), 'the preview failed').toBe(true);

    await press(page, /Try again/);
    expect([isOff(page), button(page)?.text()]).toEqual([false, 'Delete 3 backups …']);
    expect(asked.mock.lastCall).toEqual([{ keep: 2, keep_pre_restore: '30d' }]);
    await press(page, /^Delete/);
    expect(begun.mock.calls, 'it asks first').toEqual([]);
    document.querySelector('#confirm-cleanup')?.dispatchEvent(new Event('submit'));
    await flushPromises();
    expect(begun.mock.calls).toEqual([[{ keep: 2, keep_pre_restore: '30d' }]]);
  });
});

describe('the statistics', () => {
  it('are read anew when backups came or went', async () => {
    const read = vi.spyOn(api, 'statistics').mockRejectedValue(new TypeError('network'));
    vi.spyOn(api, 'sizes').mockRejectedValue(new TypeError('network'));
    list('20250920_143022');
    await useBackups().refresh();
    show(StatisticsPage);
    list('20250920_143022');
    await useBackups().refresh();
    await flushPromises();
    expect(read).toHaveBeenCalledTimes(1);
    // As many as before, but not the same.
    list('20250921_143022');
    await useBackups().refresh();
    await flushPromises();
    expect(read).toHaveBeenCalledTimes(2);
  });
});

describe('the keys of the timeline', () => {
  it.each<[Role, string]>([['viewer', '/'], ['operator', `/restore/${ID}`]])('lead a %s to %s by r', async (role, place) => {
    sign(role);
    list(ID);
    await useBackups().refresh();
    const page = show(TimelinePage, { id: ID }, true);
    document.dispatchEvent(new KeyboardEvent('keydown', { key: 'r' }));
    await flushPromises();
    expect(router.currentRoute.value.path).toBe(place);
    expect(page.get('.keys').text().includes('restore')).toBe(role !== 'viewer');
  });
});
