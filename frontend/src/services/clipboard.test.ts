import { afterEach, describe, expect, it, vi } from 'vitest';
import { copyText } from './clipboard';

afterEach(() => { vi.unstubAllGlobals(); });

describe('a copy', () => {
  it('goes the old way where the browser has no clipboard, within the dialog that has the focus', async () => {
    vi.stubGlobal('navigator', {});
    document.body.innerHTML = '<div role="dialog"><button>Copy</button></div>';
    const button = document.querySelector('button');
    button?.focus();
    const copied: (string | undefined)[] = [];
    document.execCommand = (command) => {
      const area = document.querySelector<HTMLTextAreaElement>('[role="dialog"] textarea');
      copied.push(command, area?.value);
      return true;
    };
    await copyText('ipam-rewind list');
    expect(copied).toEqual(['copy', 'ipam-rewind list']);
    expect([document.querySelector('textarea'), document.activeElement]).toEqual([null, button]);
    document.execCommand = () => false;
    await expect(copyText('x')).rejects.toThrow('does not let the page copy');
  });
});
