declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  const SwaggerUI: (options: Record<string, string | boolean>) => void;
  export default SwaggerUI;
}
