/** The token that the service knows this browser by. Kept for the tab, or for longer if asked. */
import { ref } from 'vue';
import { BASE } from './place';
import { ServiceError } from './problem';

/** Services below other paths of the same host have tokens of their own. */
const KEY = `ipam-rewind.token${BASE}`;

/** Whether the service refused us for want of a token. */
export const tokenAsked = ref(false);

export function token(): string | null {
  return sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
}

export function keepToken(value: string, remember: boolean): void {
  forgetToken();
  (remember ? localStorage : sessionStorage).setItem(KEY, value.trim());
  tokenAsked.value = false;
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
}

/** Not in `Authorization`: that is the proxy's where one asks for a password. Sent without a token, too: a refusal is
 * 403 then, where 401 would make the browser forget that password. */
export function authorization(): Record<string, string> {
  const value = token();
  return { 'X-Rewind-Token': value ?? '' };
}

/** Asks for a token if that is why a call failed. */
export function askIfUnknown(error: unknown): void {
  if (error instanceof ServiceError && error.problem.code === 'unauthenticated') tokenAsked.value = true;
}
