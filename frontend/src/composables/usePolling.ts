/** Asks again and again, for as long as the calling component is there and the tab on show: not every change is told by a job. */
import { useIntervalFn } from '@vueuse/core';

export const EVERY = 20_000;
/** For what must not be believed for long after it has changed. */
export const OFTEN = 4000;

export function usePolling(ask: () => unknown, every = EVERY): void {
  useIntervalFn(() => { if (document.visibilityState !== 'hidden') ask(); }, every);
}
