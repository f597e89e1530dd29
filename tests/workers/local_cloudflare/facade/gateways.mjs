// AI Gateways: what was said of each. Calls that name one in a header go past it.
// Source: https://developers.cloudflare.com/api/resources/ai_gateway/ (2026-11).

import { dropping, now, paged, putting, requireFreeName } from "./changes.mjs";
import { noRoute, readJson, Refusal, success } from "./envelope.mjs";

const INVALID = 7001;
const NOT_FOUND = 7002;
const NAME = { form: /^[a-z0-9_-]{1,64}$/, taken: new Refusal(409, INVALID, "It exists already.") };
const REQUIRED = [
  "cache_invalidate_on_update",
  "cache_ttl",
  "collect_logs",
  "rate_limiting_interval",
  "rate_limiting_limit",
];

/** Answers `/ai-gateway/gateways[/{id}]`. */
export async function answerGateways(request, [gateways, id], { env }) {
  if (gateways !== "gateways") throw noRoute();
  const made = env.SETTINGS.gateways;
  if (id === undefined) return answerAll(request, made);
  const gateway = made.find((each) => each.id === id);
  if (gateway === undefined) throw new Refusal(404, NOT_FOUND, "The gateway does not exist.");
  if (request.method === "GET") return success(gateway);
  if (request.method === "DELETE") return dropping("gateways", id, success(gateway));
  throw noRoute();
}

async function answerAll(request, made) {
  if (request.method === "GET") {
    const searched = new URL(request.url).searchParams.get("search") ?? "";
    const found = made.filter(({ id }) => id.includes(searched));
    return success(...paged(request, found, (each) => each));
  }
  if (request.method !== "POST") throw noRoute();
  const said = await readJson(request);
  requireFreeName(said.id, made.some(({ id }) => id === said.id), NAME);
  const missing = REQUIRED.filter((field) => !(field in said));
  if (missing.length > 0) throw new Refusal(400, INVALID, `${missing} has to be said.`);
  const gateway = { ...said, created_at: now(), modified_at: now() };
  return putting("gateways", gateway, success(gateway));
}
