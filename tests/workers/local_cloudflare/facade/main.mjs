// The Worker that speaks the v4 paths, `/client/v4/accounts/{account}/{service}/…`, and checks the
// token. `/local/…` is not Cloudflare's: it is what tests do to this one.

import { answerAi } from "./ai.mjs";
import { answerD1, emptyDatabase } from "./d1.mjs";
import { failure, noRoute, Refusal, success } from "./envelope.mjs";
import { answerGateways } from "./gateways.mjs";
import { answerQueues, deliver } from "./queues.mjs";
import { answerR2, emptyBucket } from "./r2.mjs";

export { Inbox } from "./queues.mjs";
export { Vectorize } from "./vectorize.mjs";

const API = "/client/v4/";

const SERVICES = {
  ai: answerAi,
  "ai-gateway": answerGateways,
  d1: answerD1,
  queues: answerQueues,
  r2: answerR2,
  vectorize: (request, _, { env }) => vectorize(env).fetch(request),
};

/** The one object that holds all indexes. */
function vectorize(env) {
  return env.VECTORIZE.get(env.VECTORIZE.idFromName("all"));
}

/** The binding of a database, bucket or queue, undefined where there is none of that id. */
function binding(env, prefix, records, wanted) {
  const place = records.findIndex(({ id }) => id === wanted);
  return place < 0 ? undefined : env[`${prefix}_${place}`];
}

/** What is known of a request's token: its id and the services it may use, null for all. */
function tokenOf(request, { tokens }) {
  const [, value] = /^Bearer (.+)$/.exec(request.headers.get("authorization")) ?? [];
  if (!Object.hasOwn(tokens, value)) throw unauthorised(401);
  return tokens[value];
}

/** No such token, or, of the status 403, none that may do this. */
function unauthorised(status) {
  return new Refusal(status, 10000, "Authentication error");
}

async function answerApi(request, env, path) {
  const token = tokenOf(request, env.SETTINGS);
  if (path === "user/tokens/verify") return success({ id: token.id, status: "active" });
  const [accounts, accountId, service, ...rest] = path.split("/");
  if (accounts !== "accounts" || accountId !== env.SETTINGS.account) throw noRoute();
  if (service === "tokens" && rest.join("/") === "verify") {
    return success({ id: token.id, status: "active" });
  }
  const answer = SERVICES[service];
  if (answer === undefined) throw noRoute();
  if (token.services !== null && !token.services.includes(service)) throw unauthorised(403);
  return answer(request, rest, { env, bound: binding });
}

async function answerLocal(request, env, [service, name, verb]) {
  if (request.method !== "POST") throw noRoute();
  const { databases, buckets } = env.SETTINGS;
  if (service === "d1" && verb === "empty") {
    await emptyDatabase(binding(env, "D1", databases, name));
  } else if (service === "r2" && verb === "empty") {
    await emptyBucket(binding(env, "R2", buckets, name));
  } else if (service === "vectorize" && verb === "delay") {
    return vectorize(env).fetch(request);
  } else {
    throw noRoute();
  }
  return success(null);
}

async function route(request, env) {
  const path = new URL(request.url).pathname;
  if (path.startsWith("/local/")) return answerLocal(request, env, path.split("/").slice(2));
  if (path.startsWith(API)) return answerApi(request, env, path.slice(API.length));
  throw noRoute();
}

async function answer(request, env) {
  try {
    return await route(request, env);
  } catch (error) {
    if (error instanceof Refusal) return error.response;
    return failure(500, 10002, `The local Cloudflare has a fault: ${error.stack}`);
  }
}

export default {
  async fetch(request, env) {
    const answered = await answer(request, env);
    const response = new Response(answered.body, answered);
    response.headers.set("date", new Date().toUTCString()); // as at the edge
    return response;
  },

  async queue(batch, env) {
    await deliver(batch, env);
  },
};
