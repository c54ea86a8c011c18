/** A call with its answer, its failure and whether it is under way; the newest call wins. */
import { ref, shallowRef, type Ref, type ShallowRef } from 'vue';
import { asProblem } from '@/services/problem';
import type { Problem } from '@/services/types';

export interface Request<T, A extends unknown[]> {
  data: ShallowRef<T | null>;
  problem: ShallowRef<Problem | null>;
  loading: Ref<boolean>;
  run: (...words: A) => Promise<T | null>;
}

export function useRequest<T, A extends unknown[]>(call: (...words: A) => Promise<T>): Request<T, A> {
  const data = shallowRef<T | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const loading = ref(false);
  let newest = 0;

  async function run(...words: A): Promise<T | null> {
    newest += 1;
    const own = newest;
    loading.value = true;
    try {
      const answer = await call(...words);
      if (own === newest) [data.value, problem.value] = [answer, null];
      return answer;
    } catch (error) {
      if (own === newest) problem.value = asProblem(error);
      return null;
    } finally {
      if (own === newest) loading.value = false;
    }
  }

  return { data, problem, loading, run };
}
