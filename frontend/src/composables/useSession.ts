/** Who is looking, and what their role may do. */
import { computed, shallowRef } from 'vue';
import { api } from '@/services/api';
import type { Role, Session } from '@/services/types';

const ROLES: Role[] = ['viewer', 'operator', 'admin'];
const session = shallowRef<Session | null>(null);

const rank = computed(() => (session.value ? ROLES.indexOf(session.value.role) : -1));
const isOperator = computed(() => rank.value >= 1);
const isAdmin = computed(() => rank.value >= 2);

async function load(): Promise<void> {
  session.value = await api.session();
}

export function useSession() {
  return { session, isOperator, isAdmin, load };
}
