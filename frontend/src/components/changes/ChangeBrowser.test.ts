import { flushPromises, mount } from '@vue/test-utils';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createMemoryHistory, createRouter } from 'vue-router';
import ChangeBrowser from './ChangeBrowser.vue';
import PrefixNode from './PrefixNode.vue';
import { useProfile } from '@/composables/useProfile';
import { api } from '@/services/api';
import type { FoundQuery } from '@/services/types';
import { found, profile } from '@/testing/samples';

const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', name: 'history', component: { template: '<i />' } }] });
const global = { plugins: [router] };
useProfile().profile.value = profile;
afterEach(() => { vi.restoreAllMocks(); });

describe('the browser of changes', () => {
  const counts = { prefixes: { added: 1, changed: 0, touched: 0, removed: 1 } };
  const changes = [found('prod-vrf', '10.1.0.0/16'), found('prod-vrf', '10.2.0.0/16', 'removed')];
  const kindNames = { added: 'Added', changed: 'Changed', removed: 'Removed' };
  const asked: FoundQuery[] = [];
  const props = { counts, comparison: 'c', kindNames };
  function answer(total: number): void {
    asked.length = 0;
    vi.spyOn(api, 'found').mockImplementation((_, query) => {
      asked.push(query);
      return Promise.resolve({ status: 'success', total, datasets: counts, offset: query.offset ?? 0, changes: query.offset ? [] : changes.slice(0, total) });
    });
  }

  it('asks the service for what the filter leaves, and tells how many rows that are of all', async () => {
    answer(2);
    const browser = mount(ChangeBrowser, { global, props: { ...props, points: { from: 'live', to: '20250920_143022' } } });
    await flushPromises();
    expect(browser.text()).toContain('2 of 2 rows');
    expect(browser.text()).toContain('Export CSV');
    await browser.get('button.kind.removed').trigger('click');
    await vi.waitFor(() => { expect(asked.at(-1)).toMatchObject({ kind: 'added,changed', touched: false }); });
    await browser.findAll('button.name').find((button) => button.text() === 'Prefixes')?.trigger('click');
    await vi.waitFor(() => { expect(asked.at(-1)).toMatchObject({ dataset: 'prefixes' }); });
  });

  it('promises no export where there is none', async () => {
    answer(2);
    const browser = mount(ChangeBrowser, { global, props });
    await flushPromises();
    expect(browser.text().toLowerCase()).not.toContain('export');
  });

  it('says when nothing is found, and asks for nothing where no kind is wanted', async () => {
    answer(0);
    const browser = mount(ChangeBrowser, { global, props });
    await flushPromises();
    expect(browser.text()).toContain('No match');
    const many = asked.length;
    for (const kind of ['added', 'changed', 'removed']) await browser.get(`button.kind.${kind}`).trigger('click');
    await vi.waitFor(() => { expect(browser.text()).toContain('0 of 2 rows'); });
    expect(asked.length).toBe(many);
  });

  it('shows a network with what is within it', () => {
    const root = { place: null, group: 'prod-vrf', change: null, children: 2, counts: { added: 1, changed: 0, touched: 0, removed: 1 } };
    const node = mount(PrefixNode, { props: { node: root, depth: 0, unfolded: true, open: false } });
    expect(node.get('button').attributes('aria-expanded')).toBe('true');
    expect(node.text()).toContain('1 added');
  });
});
