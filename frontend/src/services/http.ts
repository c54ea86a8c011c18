/** Calls to the service: the token goes along, a failure comes back as a problem. */
import createClient, { type Middleware } from 'openapi-fetch';
import { problemOf, ServiceError } from './problem';
import type { paths } from './schema';
import { BASE, at } from './place';
import { askIfUnknown, authorization } from './token';

/** The answer, if it is none that refuses. */
export async function accepted(response: Response): Promise<Response> {
  if (response.ok) return response;
  const error = new ServiceError(await problemOf(response));
  askIfUnknown(error);
  throw error;
}

const courtesy: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
  onResponse({ response }) {
    return accepted(response);
  },
};

/** Typed by the service's own description. */
export const client = createClient<paths>({
  baseUrl: globalThis.location.origin + BASE,
  fetch: (request) => fetch(request),
});
client.use(courtesy);

/** What the client got; it throws where it got nothing. */
export async function answer<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}

/** A call whose answer is no JSON: a stream or a file. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...authorization(), ...(init.headers as Record<string, string> | undefined) };
  return accepted(await fetch(at(path), { ...init, headers }));
}
