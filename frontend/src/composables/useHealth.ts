/** Health and schedule. */
import { shallowRef } from 'vue';
import { api } from '@/services/api';
import { asProblem } from '@/services/problem';
import type { Health, Problem, Schedule } from '@/services/types';

const health = shallowRef<Health | null>(null);
const schedule = shallowRef<Schedule | null>(null);
const silence = shallowRef<Problem | null>(null);

async function refresh(): Promise<void> {
  try {
    [health.value, schedule.value] = await Promise.all([api.health(), api.schedule()]);
    silence.value = null;
  } catch (error) {
    silence.value = asProblem(error);
  }
}

export function useHealth() {
  return { health, schedule, silence, refresh };
}
