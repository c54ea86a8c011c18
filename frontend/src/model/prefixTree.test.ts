import { describe, expect, it } from 'vitest';
import { prefix, tree } from '@/testing/samples';
import { cidrOf, prefixTree, visible, groupOf } from './prefixTree';

const changes = [
  prefix('prod-vrf', '10.16.5.0/24', 'removed'), prefix('prod-vrf', '10.16.0.0/16', 'changed'),
  prefix('prod-vrf', '10.16.5.128/25'), prefix('prod-vrf', '10.2.0.0/16'), prefix('lab-vrf', '2001:db8::/32'),
];
const drawn = (closed: string[] = []) => visible(prefixTree(changes, tree), new Set(closed)).map(({ node, depth }) => `${'  '.repeat(depth)}${node.label}`);

describe('the tree of changed prefixes', () => {
  it('nests network within network, below their VRF', () => {
    expect(drawn()).toEqual([
      'lab-vrf', '  2001:db8::/32',
      'prod-vrf', '  10.2.0.0/16', '  10.16.0.0/16', '    10.16.5.0/24', '      10.16.5.128/25',
    ]);
  });

  it('folds a network with all that is within it', () => {
    expect(drawn(['row manual-prod-vrf-10-16-0-0-16'])).toEqual(['lab-vrf', '  2001:db8::/32', 'prod-vrf', '  10.2.0.0/16', '  10.16.0.0/16']);
  });

  it('sums up what is within', () => {
    expect(prefixTree(changes, tree)[1]).toMatchObject({ added: 2, changed: 1, removed: 1 });
  });

  it('finds network and VRF in the key where the row changed without them', () => {
    const bare = (key: string) => ({ ...prefix('x', '10.0.0.0/8', 'changed'), key, cells: [{ column: 'tags', old: '{}', new: '{"a":1}' }] });
    expect(cidrOf(bare('manual-prod-vrf-10-1-0-0-16'), tree)).toBe('10.1.0.0/16');
    expect(groupOf(bare('manual-prod-vrf-10-1-0-0-16'), tree)).toBe('prod-vrf');
    expect(cidrOf(bare('799de922-53d5-4e5c-8974-5fc49acc656d-subnet-10.101.1.0-24'), tree)).toBe('10.101.1.0/24');
    expect(cidrOf(bare('something-else'), tree)).toBeNull();
  });

  it('leaves out rows that are no prefixes', () => {
    expect(prefixTree([{ dataset: 'vrfs', table: 'vrf', key: 'a', kind: 'added', cells: [] }], tree)).toEqual([]);
  });
});
