// Workers AI: an embedding model on loopback answers for every model that is asked for.
// Source: https://developers.cloudflare.com/workers-ai/models/bge-small-en-v1.5/ (2026-09).

import { noRoute, readJson, Refusal, success } from "./envelope.mjs";

const NO_SUCH_MODEL = 5007;
const BAD_INPUT = 5004;
const EMBEDDERS = /^@cf\/[a-z0-9-]+\/(bge|embeddinggemma|qwen3-embedding)[a-z0-9.-]*$/;

/** Answers `/ai/run/{model}`. */
export async function answerAi(request, [verb, ...segments], { env }) {
  if (request.method !== "POST" || verb !== "run") throw noRoute();
  const model = segments.map(decodeURIComponent).join("/");
  if (!EMBEDDERS.test(model)) {
    throw new Refusal(400, NO_SUCH_MODEL, `No such model ${model} or task`);
  }
  const { text, pooling = "mean" } = await readJson(request);
  const texts = typeof text === "string" ? [text] : text;
  if (!Array.isArray(texts) || texts.length === 0) {
    throw new Refusal(400, BAD_INPUT, "The input has no text.");
  }
  const body = JSON.stringify(texts);
  const answer = await fetch(env.SETTINGS.embedder, { method: "POST", body });
  const data = await answer.json();
  return success({ shape: [data.length, data[0].length], data, pooling });
}
