import { flushPromises, mount } from '@vue/test-utils';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createMemoryHistory, createRouter } from 'vue-router';
import DescriptionEditor from './backup/DescriptionEditor.vue';
import CellTable from './changes/CellTable.vue';
import ChangeCounts from './common/ChangeCounts.vue';
import ProblemNote from './common/ProblemNote.vue';
import ConfirmRestore from './restore/ConfirmRestore.vue';
import PreviewSentence from './restore/PreviewSentence.vue';
import RestoreChoice from './restore/RestoreChoice.vue';
import RestoreRun from './restore/RestoreRun.vue';
import TokenPrompt from './shell/TokenPrompt.vue';
import FilterBar from './timeline/FilterBar.vue';
import HeatMap from './timeline/HeatMap.vue';
import { useBackups } from '@/composables/useBackups';
import { useClock } from '@/composables/useClock';
import { useProfile } from '@/composables/useProfile';
import { EVERYTHING } from '@/model/timeline';
import { api } from '@/services/api';
import { ServiceError } from '@/services/problem';
import { token, tokenAsked } from '@/services/token';
import { backup, job, prefix } from '@/testing/samples';

const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', name: 'history', component: { template: '<i />' } }] });
const global = { plugins: [router] };

afterEach(() => {
  vi.restoreAllMocks();
  document.body.innerHTML = '';
});

describe('the typed confirmation', () => {
  const shown = (ready = true, other: string | null = null) => mount(ConfirmRestore, { global, props: { id: '20250920_143022', target: 'ipam at db:5432', other, part: false, safety: true, ready, starting: false } });

  it('restores only once the id is typed, to the letter', async () => {
    const form = shown();
    const field = form.get('input');
    await field.setValue('20250920_14302');
    expect(form.get('button').attributes('disabled')).toBeDefined();
    await form.get('form').trigger('submit');
    expect(form.emitted('go')).toBeUndefined();
    await field.setValue('20250920_143022');
    await form.get('form').trigger('submit');
    expect(form.emitted('go')).toHaveLength(1);
  });

  it('says that there will be no Undo, where the state before is not kept', async () => {
    const form = shown();
    expect(form.text()).not.toContain('no Undo');
    await form.setProps({ safety: false });
    expect(form.text()).toContain('there will be no Undo');
  });

  it('names the target, and asks once more where it is another database', async () => {
    const form = shown(true, 'the backup was taken from another cluster');
    expect(form.text()).toContain('ipam at db:5432');
    await form.get('input:not([type=checkbox])').setValue('20250920_143022');
    await form.get('form').trigger('submit');
    expect(form.emitted('go')).toBeUndefined();
    await form.get('input[type=checkbox]').setValue(true);
    await form.get('form').trigger('submit');
    expect(form.emitted('go')).toEqual([[true]]);
  });

  it('waits for the preview', async () => {
    const form = shown(false);
    await form.get('input').setValue('20250920_143022');
    await form.get('form').trigger('submit');
    expect(form.emitted('go')).toBeUndefined();
  });
});

describe('numbers of changes', () => {
  it('say what they count without colour', () => {
    const text = mount(ChangeCounts, { props: { added: 2000, changed: 0, removed: 1 } }).text();
    expect(text).toContain('2,000 added');
    expect(text).toContain('1 removed');
    expect(text).not.toContain('changed');
  });
});

describe('a problem', () => {
  it('names what is wrong, and offers to try again', async () => {
    const problem = { title: 'The tables do not fit', status: 422, detail: 'no column x', code: 'schema_mismatch', problems: ['prefix lacks x'], hint: 'migrate first' };
    const note = mount(ProblemNote, { props: { problem } });
    expect(note.text()).toContain('The tables do not fit. no column x');
    expect(note.text()).toContain('prefix lacks x');
    expect(note.text()).toContain('migrate first');
    await note.get('button').trigger('click');
    expect(note.emitted('retry')).toHaveLength(1);
  });
});

describe('the preview’s sentence', () => {
  const rows = (inserted: number, updated: number, deleted: number) => ({ inserted, updated, deleted, unchanged: 10 });
  const place = { database: 'ipam', server: 'db:5432', system_identifier: null };
  const preview = { status: 'success', backup_id: 'x', fingerprint: 'ab'.repeat(32), as_of: '2025-09-20T14:30:22Z', partial: false, other_rows: [], touched: 0, changes: [], truncated: false, missing_tables: [], source: place, target: place, other_database: null };

  it('counts what comes, changes and goes', () => {
    const text = mount(PreviewSentence, { props: { preview: { ...preview, datasets: { vrfs: rows(1, 0, 2), vpcs: rows(0, 3, 0) } } } }).text();
    expect(text).toContain('brings back 1 row, sets 3 rows to what they were, and removes 2 rows');
  });

  it('announces rows of other tables', () => {
    const other_rows = [{ table: 'idempotency_record', removed: 2, inserted: 1 }];
    const text = mount(PreviewSentence, { props: { preview: { ...preview, other_rows, datasets: { vrfs: rows(1, 0, 0) } } } }).text();
    expect(text).toContain('2 records of idempotency_record removed');
    expect(text).toContain('1 record of idempotency_record brought back');
  });

  it('lists the columns that were added since', () => {
    const drifted = { ...preview, datasets: { vrfs: rows(1, 0, 0) }, schema_drift: ['prefix.note was added since'] };
    expect(mount(PreviewSentence, { props: { preview: drifted } }).text()).toContain('prefix.note was added since');
  });

  it('speaks of the chosen part alone where only that was compared', () => {
    const text = mount(PreviewSentence, { props: { preview: { ...preview, partial: true, datasets: { vrfs: rows(0, 0, 0) } } } }).text();
    expect(text).toContain('Nothing would change in what is chosen');
    expect(text).toContain('The rest was not compared');
    expect(text).not.toContain('exactly what the backup holds');
  });

  it('says when nothing would change', () => {
    expect(mount(PreviewSentence, { props: { preview: { ...preview, datasets: { vrfs: rows(0, 0, 0) } } } }).text()).toContain('Nothing would change');
  });
});

describe('the choice of what is restored', () => {
  it('offers to restore beside added columns only where the preview asks for it', () => {
    const choice = { datasets: [], vrf: '', safety: true };
    const offered = (drifted: boolean) => mount(RestoreChoice, { props: { backup: 'x', modelValue: choice, drifted } }).text();
    expect(offered(true)).toContain('although columns were added');
    expect(offered(false)).not.toContain('although columns were added');
  });

  it('names the datasets that the profile has', () => {
    const { profile } = useProfile();
    const before = profile.value;
    profile.value = { ...before, datasets: [{ name: 'places', label: 'Places', in_every_backup: true }] };
    const text = mount(RestoreChoice, { props: { backup: 'x', modelValue: { datasets: [], vrf: '', safety: true }, drifted: false } }).text();
    profile.value = before;
    expect(text).toContain('Places');
    expect(text).not.toContain('Prefixes');
  });
});

describe('a running restore', () => {
  it('shows the step it is at, and may be cancelled until it commits', async () => {
    const restore = job('a', { kind: 'restore', progress: { ...job('a').progress, phase: 'applying' } });
    const run = mount(RestoreRun, { props: { job: restore, safety: true } });
    expect(run.get('[aria-current=step]').text()).toContain('Write the rows');
    await run.get('button').trigger('click');
    expect(run.emitted('cancel')).toHaveLength(1);
    await run.setProps({ job: { ...restore, cancellable: false } });
    expect(run.find('button').exists()).toBe(false);
  });
});

describe('changed cells', () => {
  it('stand beside each other with what they were', () => {
    const cells = [{ column: 'routable', old: 't', new: 'f' }, { column: 'description', old: '<b>bold</b>', new: null }];
    const table = mount(CellTable, { props: { cells, kind: 'changed' } });
    expect(table.findAll('td').map((cell) => cell.text())).toEqual(['−true', '+false', '−<b>bold</b>', '+null']);
  });

  it('of a removed row show only what was', () => {
    const table = mount(CellTable, { props: { cells: prefix('prod-vrf', '10.1.0.0/16', 'removed').cells, kind: 'removed' } });
    expect(table.findAll('td').map((cell) => cell.text())).toEqual(['−prod-vrf', '−10.1.0.0/16']);
  });
});

describe('the filter', () => {
  it('turns chips on and off, and shows all again', async () => {
    const bar = mount(FilterBar, { global, props: { modelValue: { ...EVERYTHING, marks: ['pinned'] }, found: 1, all: 2000 } });
    expect(bar.text()).toContain('1 of 2,000');
    const press = (name: string) => bar.findAll('button').find((button) => button.text() === name)?.trigger('click');
    await press('Scheduled');
    await press('Pinned');
    await press('Show all');
    expect(bar.emitted('update:modelValue')?.flat()).toEqual([
      { ...EVERYTHING, marks: ['pinned'], triggers: ['scheduled'] }, { ...EVERYTHING, marks: [], triggers: ['scheduled'] }, EVERYTHING,
    ]);
  });
});

describe('the heat map', () => {
  it('picks a day that has backups, and only such', async () => {
    useClock().zone.value = 'UTC';
    const today = new Date().toISOString().slice(0, 10);
    vi.spyOn(api, 'backups').mockResolvedValue({ status: 'success', count: 1, backups: [{ ...backup(`${today.replaceAll('-', '')}_000001`), backup_path: '', age_days: 0 }] });
    await useBackups().refresh();
    const map = mount(HeatMap, { props: { day: null } });
    const days = map.findAll('button.day');
    expect(days.at(-1)?.attributes('aria-label')).toContain('1 backup');
    await days.at(-1)?.trigger('click');
    await days.at(0)?.trigger('click');
    expect(map.emitted('pick')).toEqual([[today]]);
  });
});

describe('the description', () => {
  it('is changed in place', async () => {
    const describeIt = vi.spyOn(api, 'describe').mockImplementation((_, patch) => Promise.resolve({ status: 'success', message: '', backup_info: backup('20250920_143022', { description: patch.description ?? '' }) }));
    const { useSession } = await import('@/composables/useSession');
    useSession().session.value = { status: 'success', name: 'alice', role: 'operator', authentication: 'token', version: '0', database: true };
    const editor = mount(DescriptionEditor, { props: { backup: backup('20250920_143022') }, attachTo: document.body });
    await editor.get('button').trigger('click');
    await editor.get('input').setValue('Before the move');
    await editor.get('form').trigger('submit');
    await flushPromises();
    expect(describeIt).toHaveBeenCalledWith('20250920_143022', { description: 'Before the move' });
    expect(editor.find('form').exists()).toBe(false);
  });

  it('is not offered for change to a viewer', async () => {
    const { useSession } = await import('@/composables/useSession');
    useSession().session.value = { status: 'success', name: 'vic', role: 'viewer', authentication: 'token', version: '0', database: true };
    expect(mount(DescriptionEditor, { props: { backup: backup('20250920_143022') } }).find('button').exists()).toBe(false);
  });
});

describe('the prompt for a token', () => {
  it('keeps a token that the service knows, and no other', async () => {
    tokenAsked.value = true;
    const prompt = mount(TokenPrompt, { attachTo: document.body });
    await flushPromises();
    const give = async (text: string) => {
      const field = document.querySelector<HTMLInputElement>('.el-dialog input[type=password]');
      if (!field) throw new Error('no field');
      field.value = text;
      field.dispatchEvent(new Event('input'));
      document.querySelector('.el-dialog form')?.dispatchEvent(new Event('submit'));
      await flushPromises();
    };
    const unknown = new ServiceError({ title: '', status: 401, detail: '', code: 'unauthenticated' });
    const session = vi.spyOn(api, 'session').mockRejectedValueOnce(unknown);
    await give('wrong');
    expect([token(), prompt.emitted('given')]).toEqual([null, undefined]);
    session.mockResolvedValueOnce({ status: 'success', name: 'alice', role: 'admin', authentication: 'token', version: '0', database: true });
    await give('right');
    expect([token(), prompt.emitted('given')?.length]).toEqual(['right', 1]);
  });
});
