/** The token that the service knows this browser by. Kept for the tab, or for longer if asked. */
import { ref } from 'vue';

const KEY = 'ipam-rewind.token';

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

export function authorization(): Record<string, string> {
  const value = token();
  return value ? { Authorization: `Bearer ${value}` } : {};
}
