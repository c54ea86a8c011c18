/** `/docs`: the OpenAPI document as a page to browse and try. */
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import 'swagger-ui-dist/swagger-ui.css';
import { at, BASE } from '@/services/place';
import { authorization } from '@/services/token';

const answer = await fetch(at('/api/openapi.json'));
const spec = (await answer.json()) as Record<string, unknown>;

SwaggerUI({
  dom_id: '#api',
  // Calls go below the path that the service is shown at, with the token that the page was given in this tab.
  spec: { ...spec, servers: [{ url: globalThis.location.origin + BASE }] },
  requestInterceptor: (request: { headers: Record<string, string> }) => ({ ...request, headers: { ...authorization(), ...request.headers } }),
  deepLinking: true,
  tryItOutEnabled: true,
  // The validator is a service on the internet.
  validatorUrl: 'none',
});
