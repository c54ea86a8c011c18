/** The verdict of the service, as the page shows it. */
import { computed } from 'vue';
import { verdict, type Verdict } from '@/model/protection';
import { useBackups } from './useBackups';
import { useHealth } from './useHealth';

export function useProtection() {
  const { problem } = useBackups();
  const { health, schedule, silence, current } = useHealth();
  return computed<Verdict>(() =>
    verdict({
      health: health.value,
      failure: schedule.value?.last_run?.detail ?? null,
      silence: problem.value ?? silence.value,
      current: current.value,
    }),
  );
}
