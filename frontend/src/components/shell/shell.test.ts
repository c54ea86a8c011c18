import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createMemoryHistory, createRouter } from 'vue-router';
import AppHeader from './AppHeader.vue';
import CreateBackup from './CreateBackup.vue';
import JobDock from './JobDock.vue';
import { useImport } from '@/composables/useImport';
import { useJobs } from '@/composables/useJobs';
import { useSession } from '@/composables/useSession';
import { api, jobs } from '@/services/api';
import { keepToken, token } from '@/services/token';
import type { Job } from '@/services/types';
import { job } from '@/testing/samples';

const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', component: { template: '<i />' } }] });
const global = { plugins: [router] };

enableAutoUnmount(afterEach);
afterEach(() => {
  vi.restoreAllMocks();
  document.body.innerHTML = '';
});

describe('signing out', () => {
  it('forgets the token and begins the page anew: nothing stays on show', async () => {
    keepToken('ipr_secret', true);
    const reload = vi.spyOn(globalThis.location, 'reload').mockReturnValue();
    useSession().session.value = { status: 'success', name: 'alice', role: 'admin', authentication: 'token', version: '0', database: true };
    const header = mount(AppHeader, { global });
    await header.findAll('button').find((button) => button.text() === 'Sign out')?.trigger('click');
    expect([token(), reload.mock.calls.length]).toEqual([null, 1]);
  });
});

describe('a new backup', () => {
  const { take } = useJobs();
  const problem = { type: 'about:blank', title: '', status: 503, detail: 'out of reach', code: 'database_unreachable' };

  async function typed() {
    const form = mount(CreateBackup);
    const field = form.get('input');
    await field.setValue('Before the move');
    await form.get('form').trigger('submit');
    await flushPromises();
    return field.element;
  }

  it('that fails leaves its description to try again', async () => {
    vi.spyOn(jobs, 'backup').mockRejectedValueOnce(new TypeError('network')).mockResolvedValueOnce(job('b1'));
    expect((await typed()).value).toBe('Before the move');
    const field = await typed();
    take(job('b1', { state: 'failed', problem }));
    await flushPromises();
    expect(field.value).toBe('Before the move');
  });

  it('that is made leaves the field empty', async () => {
    vi.spyOn(jobs, 'backup').mockResolvedValue(job('b2'));
    vi.spyOn(api, 'job').mockResolvedValue(job('b2', { state: 'succeeded' }));
    const field = await typed();
    take(job('b2', { state: 'succeeded' }));
    await flushPromises();
    expect(field.value).toBe('');
  });
});

describe('an archive on its way', () => {
  it('is on show with how much of it was sent, until it is there', async () => {
    const given: { tell: (sent: number) => void; done: (job: Job) => void }[] = [];
    vi.spyOn(jobs, 'import').mockImplementation((_, tell) => new Promise((done) => { given.push({ tell, done }); }));
    const dock = mount(JobDock, { global });
    const sent = useImport().bringIn(new File(['x'.repeat(2048)], 'old.tar'));
    given[0]?.tell(512);
    await flushPromises();
    expect(dock.text()).toContain('old.tar');
    expect(dock.text()).toContain('512 B of 2.00 KiB');
    expect(dock.get('[role=progressbar]').attributes('aria-valuenow')).toBe('25');
    given[0]?.done(job('i1'));
    await sent;
    await flushPromises();
    expect(dock.text()).not.toContain('old.tar');
  });
});
