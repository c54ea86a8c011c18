/** Health, schedule, and what is known of the live rows. */
import { shallowRef } from 'vue';
import { api } from '@/services/api';
import { asProblem } from '@/services/problem';
import type { Health, LiveStatus, Problem, Schedule } from '@/services/types';

const health = shallowRef<Health | null>(null);
const schedule = shallowRef<Schedule | null>(null);
const live = shallowRef<LiveStatus | null>(null);
const silence = shallowRef<Problem | null>(null);
/** Whether the latest answer came after the service last fell silent. */
const current = shallowRef(true);
let turn = 0;

async function ask(calls: () => Promise<unknown>): Promise<void> {
  const own = turn;
  try {
    await calls();
    // Asked before the connection was lost, it tells of the time before.
    if (own === turn) [silence.value, current.value] = [null, true];
  } catch (error) {
    silence.value = asProblem(error);
  }
}

function refresh(): Promise<void> {
  return ask(async () => {
    [health.value, schedule.value, live.value] = await Promise.all([api.health(), api.schedule(), api.live()]);
  });
}

/** Only whether all is well, which is asked for often. */
function look(): Promise<void> {
  return ask(async () => { health.value = await api.health(); });
}

/** The service does not tell of changes any more: what is known holds only once it has answered anew. */
function lose(): Promise<void> {
  turn += 1;
  current.value = false;
  return look();
}

export function useHealth() {
  return { health, schedule, live, silence, current, refresh, look, lose };
}
