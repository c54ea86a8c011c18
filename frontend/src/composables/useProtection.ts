/** The sentence of truth, from all that the page knows. */
import { computed } from 'vue';
import { verdict, type Verdict } from '@/model/protection';
import { useBackups } from './useBackups';
import { useClock } from './useClock';
import { useHealth } from './useHealth';

export function useProtection() {
  const { backups, unreadable, problem } = useBackups();
  const { health, schedule, silence } = useHealth();
  const { now } = useClock();
  return computed<Verdict>(() =>
    verdict({
      backups: backups.value,
      unreadable: unreadable.value.length,
      schedule: schedule.value,
      health: health.value,
      silence: problem.value ?? silence.value,
      now: now.value,
    }),
  );
}
