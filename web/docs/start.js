"use strict";

SwaggerUIBundle({
  url: "openapi/openapi.json",
  dom_id: "#documentation",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false, // a key stays with the page that it was typed into
  validatorUrl: null, // no request goes to another server
});
