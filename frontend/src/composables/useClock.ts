/** The time now, and the zone that times are shown in. Shared by the whole page. */
import { useLocalStorage } from '@vueuse/core';
import { computed, shallowRef } from 'vue';
import { described } from '@/model/backup';
import { visible } from '@/model/text';
import { ago, clock, instant, instantOfId, moment, zoneName, type Zone } from '@/model/time';

const TICK = 5000;
const now = shallowRef(new Date());
const zone = useLocalStorage<Zone>('ipam-rewind.zone', 'local');
setInterval(() => { now.value = new Date(); }, TICK);

const zoneLabel = computed(() => zoneName(zone.value, now.value));

export function useClock() {
  return {
    now,
    zone,
    zoneLabel,
    agoOf: (text: string) => ago(instant(text), now.value),
    clockOf: (text: string) => clock(instant(text), zone.value),
    titleOf: (description: string) => visible(described(description, zone.value)),
    momentOf: (text: string) => moment(instant(text), zone.value),
    momentOfId: (id: string) => (id === 'live' ? 'live' : moment(instantOfId(id), zone.value)),
  };
}
