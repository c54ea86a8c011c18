/** One call to the service: the token goes along, a failure comes back as a problem. */
import { problemOf, ServiceError } from './problem';
import { authorization, tokenAsked } from './token';

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface Call {
  method?: string;
  query?: Query;
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return search ? `${path}?${search}` : path;
}

/** The answer, whatever it holds; throws a `ServiceError` unless it is a success. */
export async function send(path: string, call: Call = {}): Promise<Response> {
  const headers: Record<string, string> = { ...authorization(), ...call.headers };
  if (call.json !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(address(path, call.query), {
    method: call.method ?? 'GET',
    headers,
    body: call.json === undefined ? call.body : JSON.stringify(call.json),
    signal: call.signal,
  });
  if (response.status === 401) tokenAsked.value = true;
  if (!response.ok) throw new ServiceError(await problemOf(response));
  return response;
}

export async function request<T>(path: string, call: Call = {}): Promise<T> {
  return (await send(path, call)).json() as Promise<T>;
}
