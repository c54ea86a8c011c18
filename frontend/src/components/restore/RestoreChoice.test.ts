import { mount } from '@vue/test-utils';
import { describe, expect, it } from 'vitest';
import RestoreChoice from './RestoreChoice.vue';

describe('the choice of what is restored', () => {
  it('offers to keep rows that the backup does not have', async () => {
    const choice = { datasets: [], vrf: '', safety: true };
    const form = mount(RestoreChoice, { props: { backup: '20250920_143022', modelValue: choice, 'onUpdate:modelValue': () => undefined } });
    const boxes = form.findAll('input[type=checkbox]');
    const box = boxes[form.findAll('.el-checkbox').findIndex((one) => one.text().includes('Only add and update'))];
    await box?.setValue(true);
    expect(choice).toMatchObject({ merge: true });
    expect(form.emitted('changed')).toBeTruthy();
  });
});
