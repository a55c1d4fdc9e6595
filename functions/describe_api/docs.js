// Shows the document beside this page. The token and the business that are typed in stay in this tab's memory only.

// The business is entered once, beside the token. The document has it at every operation, which serves generated clients.
function withBusinessBesideTheToken(document) {
  const isBusiness = (parameter) => parameter.in === "header" && parameter.name === "x-business-id";
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  const [parameter] = operations.flatMap((operation) => operation.parameters).filter(isBusiness);
  document.components.securitySchemes.business = {
    type: "apiKey",
    in: "header",
    name: parameter.name,
    description: `${parameter.description} For example \`${parameter.example}\`.`,
  };
  for (const operation of operations) {
    operation.parameters = operation.parameters.filter((each) => !isBusiness(each));
    operation.security = operation.security.map((schemes) => ({ ...schemes, business: [] }));
  }
  return document;
}

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null,
  plugins: [
    {
      statePlugins: {
        spec: {
          wrapActions: { updateJsonSpec: (update) => (document) => update(withBusinessBesideTheToken(document)) },
        },
      },
    },
  ],
});
