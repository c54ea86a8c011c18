import { describe, expect, it } from 'vitest';
import { readable } from './cells';
import { visible } from './text';

describe('text from outside', () => {
  it('shows what a reader would not see', () => {
    expect(visible('a\u202eb')).toBe('a\\u{202e}b');
    for (const hidden of ['\u2066', '\u200b', '\u200f', '\ufeff', '\u2028', '\x1b', '\x9b', '\u{e0041}']) {
      expect(visible(hidden)).toMatch(/^\\u\{[0-9a-f]+\}$/);
    }
    expect(readable('x\u202ey')).toBe('x\\u{202e}y');
  });

  it('leaves what is to be read as it is', () => {
    for (const text of ['größer 東京 🦀', 'עברית', 'two\nlines\tand a tab', '']) expect(visible(text)).toBe(text);
  });
});
