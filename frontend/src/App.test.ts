import { flushPromises, mount } from '@vue/test-utils';
import { afterEach, expect, it, vi } from 'vitest';
import App from './App.vue';
import { EVERY } from './composables/usePolling';
import { useProfile } from './composables/useProfile';
import { router } from './router';
import { api } from './services/api';
import { profile } from './testing/samples';

vi.mock('./services/events', () => ({ listen: () => new Promise(() => undefined) }));

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('the page asks for the backups again and again: the command line makes them, too', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const asked = vi.spyOn(api, 'backups').mockResolvedValue({ status: 'success', count: 0, backups: [] });
  for (const call of ['session', 'health', 'schedule'] as const) vi.spyOn(api, call).mockRejectedValue(new TypeError('network'));
  const app = mount(App, { shallow: true, global: { plugins: [router] } });
  await flushPromises();
  const before = asked.mock.calls.length;
  await vi.advanceTimersByTimeAsync(EVERY);
  await flushPromises();
  expect(asked.mock.calls.length).toBe(before + 1);
  app.unmount();
  await vi.advanceTimersByTimeAsync(EVERY);
  expect(asked.mock.calls.length).toBe(before + 1);
});

it('the page asks for the profile until it has come once', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const known = useProfile();
  known.forget();
  vi.spyOn(api, 'backups').mockResolvedValue({ status: 'success', count: 0, backups: [] });
  for (const call of ['session', 'health', 'schedule'] as const) vi.spyOn(api, call).mockRejectedValue(new TypeError('network'));
  const asked = vi.spyOn(api, 'profile').mockRejectedValueOnce(new TypeError('network')).mockResolvedValue(profile);
  const app = mount(App, { shallow: true, global: { plugins: [router] } });
  await flushPromises();
  expect(known.loaded.value).toBe(false);
  await vi.advanceTimersByTimeAsync(EVERY);
  await flushPromises();
  expect(known.datasets.value).toContain('public_ips');
  await vi.advanceTimersByTimeAsync(EVERY);
  expect(asked).toHaveBeenCalledTimes(2);
  app.unmount();
});
