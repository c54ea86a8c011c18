/** Calls to the service: the token goes along, a failure comes back as a problem. */
import createClient, { type Middleware } from 'openapi-fetch';
import { problemOf, ServiceError } from './problem';
import type { paths } from './schema';
import { authorization, tokenAsked } from './token';

async function refuse(response: Response): Promise<void> {
  if (response.ok) return;
  if (response.status === 401) tokenAsked.value = true;
  throw new ServiceError(await problemOf(response));
}

const courtesy: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
  async onResponse({ response }) {
    await refuse(response);
    return response;
  },
};

/** Typed by the service's own description. */
export const client = createClient<paths>({
  baseUrl: globalThis.location.origin,
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
  const response = await fetch(path, { ...init, headers });
  await refuse(response);
  return response;
}
