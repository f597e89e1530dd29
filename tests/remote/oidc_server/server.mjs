// An OAuth authorization server on loopback: panva's oidc-provider, with access tokens that are
// JWTs for the resource that a client names (RFC 8707, RFC 9068).
//
//   node server.mjs MODULE SETTINGS
//
// MODULE is where oidc-provider's entry point is; SETTINGS a JSON file:
// {port, jwks, clients: [{client_id, client_secret}], scopes: []}.
// It prints `listening`, and then `request` with the method and path of each.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modulePath, settingsPath] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(settingsPath, "utf-8"));
const { default: Provider } = await import(pathToFileURL(modulePath));

const issuer = `http://127.0.0.1:${settings.port}`;
const scope = settings.scopes.join(" ");
const [{ alg }] = settings.jwks.keys;

const provider = new Provider(issuer, {
  clients: settings.clients.map((client) => ({
    ...client,
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: alg,
    scope,
  })),
  jwks: settings.jwks,
  scopes: settings.scopes,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        scope,
        audience: resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
        jwt: { sign: { alg } },
      }),
    },
  },
});

provider.use(async (context, next) => {
  console.log(`request ${context.method} ${context.path}`);
  await next();
});

provider.listen(settings.port, "127.0.0.1", () => console.log("listening"));
