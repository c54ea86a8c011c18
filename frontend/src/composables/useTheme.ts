/** Dark or light: as the system has it, until somebody chooses. */
import { useDark } from '@vueuse/core';

export const isDark = useDark({ storageKey: 'ipam-rewind.theme', valueDark: 'dark', valueLight: 'light', disableTransition: false });
