/** What is backed up, as the service says: the datasets, tables and scopes, and the words for them. */
import { computed, shallowRef } from 'vue';
import { api } from '@/services/api';
import type { Dataset, Profile } from '@/services/types';

const NONE: Profile = { status: 'success', name: '', datasets: [], tables: [], scopes: [], volatile_columns: [], summary_columns: [] };
const profile = shallowRef<Profile>(NONE);
const loaded = computed(() => profile.value !== NONE);
/** The names of those that every backup has. */
const datasets = computed<Dataset[]>(() => profile.value.datasets.filter((one) => one.in_every_backup).map((one) => one.name));

function label(name: Dataset): string {
  return profile.value.datasets.find((one) => one.name === name)?.label ?? name;
}

async function load(): Promise<void> {
  profile.value = await api.profile();
}

function forget(): void {
  profile.value = NONE;
}

export function useProfile() {
  return { profile, loaded, datasets, label, load, forget };
}
