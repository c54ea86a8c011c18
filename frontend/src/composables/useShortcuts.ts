/** Keys that act wherever nothing is being typed. */
import { useEventListener } from '@vueuse/core';

export type Shortcuts = Record<string, () => unknown>;

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName) && target.getAttribute('type') !== 'checkbox');
}

export function useShortcuts(shortcuts: Shortcuts): void {
  useEventListener(document, 'keydown', (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector('.el-overlay:not([style*="display: none"])')) return;
    const act = shortcuts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
