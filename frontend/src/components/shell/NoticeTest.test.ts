import { flushPromises, mount } from '@vue/test-utils';
import { describe, expect, it, vi } from 'vitest';
import NoticeTest from './NoticeTest.vue';
import { useHealth } from '@/composables/useHealth';
import { useSession } from '@/composables/useSession';
import { api } from '@/services/api';
import { health, schedule } from '@/testing/samples';

describe('the test of notifications', () => {
  it('is for admins of a service that has targets, and tells what each answered', async () => {
    const who = (role: 'operator' | 'admin') => ({ status: 'success', name: 'alice', role, authentication: 'token' as const, version: '0', database: true });
    const target = { format: 'slack', host: 'hooks.example', waiting: 0, lost: 0, refusal: null };
    vi.spyOn(api, 'health').mockResolvedValue(health());
    vi.spyOn(api, 'live').mockResolvedValue({ status: 'success', reference: null, last_read: null });
    vi.spyOn(api, 'schedule').mockResolvedValue({ ...schedule(null), notices: [target] });
    const sent = vi.spyOn(api, 'testNotices').mockResolvedValue({ status: 'refused', targets: [{ format: 'slack', host: 'hooks.example', delivered: false, refusal: 'answered 404 Not Found' }] });
    await useHealth().refresh();
    useSession().session.value = who('operator');
    const test = mount(NoticeTest);
    expect(test.find('button').exists()).toBe(false);
    useSession().session.value = who('admin');
    await flushPromises();
    await test.find('button').trigger('click');
    await flushPromises();
    expect(sent).toHaveBeenCalledOnce();
    expect(test.find('[role=status]').text()).toBe('slack hooks.example: answered 404 Not Found');
    vi.spyOn(api, 'schedule').mockResolvedValue(schedule(null));
    await useHealth().refresh();
    await flushPromises();
    expect(test.find('button').exists()).toBe(false);
  });
});
