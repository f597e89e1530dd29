// The Worker that speaks the v4 paths, `/client/v4/accounts/{account}/{service}/…`, and checks the
// token. `/local/…` is not Cloudflare's: it is what tests do to this one.

import { answerAi } from "./ai.mjs";
import { answerD1, emptyDatabase } from "./d1.mjs";
import { failure, noRoute, Refusal, success } from "./envelope.mjs";
import { answerQueues, deliver } from "./queues.mjs";
import { answerR2, emptyBucket } from "./r2.mjs";

export { Inbox } from "./queues.mjs";
export { Vectorize } from "./vectorize.mjs";

const API = "/client/v4/";

const SERVICES = { ai: answerAi, d1: answerD1, queues: answerQueues, r2: answerR2 };

/** The one object that holds all indexes. */
function vectorize(env) {
  return env.VECTORIZE.get(env.VECTORIZE.idFromName("all"));
}

/** The binding of a database, bucket or queue, undefined where there is none of that name. */
function binding(env, prefix, names, name) {
  const place = names.indexOf(name);
  return place < 0 ? undefined : env[`${prefix}_${place}`];
}

async function answerApi(request, env, path) {
  const { account, token, token_id: tokenId } = env.SETTINGS;
  if (request.headers.get("authorization") !== `Bearer ${token}`) {
    throw new Refusal(401, 10000, "Authentication error");
  }
  if (path === "user/tokens/verify") return success({ id: tokenId, status: "active" });
  const [accounts, accountId, service, ...rest] = path.split("/");
  if (accounts !== "accounts" || accountId !== account) throw noRoute();
  if (service === "tokens" && rest.join("/") === "verify") {
    return success({ id: tokenId, status: "active" });
  }
  if (service === "vectorize") return vectorize(env).fetch(request);
  const answer = SERVICES[service];
  if (answer === undefined) throw noRoute();
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
