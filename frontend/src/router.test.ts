import { expect, it } from 'vitest';
import { pageKey } from './router';

it('each restore is a page of its own, and the details belong to the timeline', () => {
  const keys = [['restore', '/restore/a'], ['restore', '/restore/b'], ['backup', '/backups/a'], ['timeline', '/']] as const;
  expect(keys.map(([name, path]) => pageKey({ name, path }))).toEqual(['/restore/a', '/restore/b', 'timeline', 'timeline']);
});
