/** `/docs`: the OpenAPI document as a page to browse and try. */
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import 'swagger-ui-dist/swagger-ui.css';

SwaggerUI({
  dom_id: '#api',
  url: '/api/openapi.json',
  deepLinking: true,
  tryItOutEnabled: true,
  // The validator is a service on the internet.
  validatorUrl: 'none',
});
