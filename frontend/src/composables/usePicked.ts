/** Backups picked for a comparison: two at most, the third replaces the one picked first. */
import { ref } from 'vue';

const picked = ref<string[]>([]);

function toggle(id: string): void {
  picked.value = picked.value.includes(id)
    ? picked.value.filter((other) => other !== id)
    : [...picked.value, id].slice(-2);
}

function clear(): void {
  picked.value = [];
}

export function usePicked() {
  return { picked, toggle, clear };
}
