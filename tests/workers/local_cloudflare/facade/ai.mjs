// Workers AI: one embedding model on loopback answers for every model that is asked for. Its
// vectors are filled up with zeros to the dimensions of the one asked, which keeps their angles.
// Source: https://developers.cloudflare.com/workers-ai/models/ (the pages of each, 2026-11).

import { noRoute, readJson, Refusal, success } from "./envelope.mjs";

const NO_SUCH_MODEL = 5007;
const BAD_INPUT = 5004;

const DIMENSIONS = {
  "@cf/baai/bge-small-en-v1.5": 384,
  "@cf/baai/bge-base-en-v1.5": 768,
  "@cf/baai/bge-large-en-v1.5": 1024,
  "@cf/baai/bge-m3": 1024,
  "@cf/google/embeddinggemma-300m": 768,
  "@cf/qwen/qwen3-embedding-0.6b": 1024,
};

/** Answers `/ai/run/{model}`. */
export async function answerAi(request, [verb, ...segments], { env }) {
  if (request.method !== "POST" || verb !== "run") throw noRoute();
  const model = segments.map(decodeURIComponent).join("/");
  const dimensions = DIMENSIONS[model];
  if (dimensions === undefined) {
    throw new Refusal(400, NO_SUCH_MODEL, `No such model ${model} or task`);
  }
  const { text, queries = text, pooling = "mean" } = await readJson(request);
  const texts = typeof queries === "string" ? [queries] : queries;
  if (!Array.isArray(texts) || texts.length === 0) {
    throw new Refusal(400, BAD_INPUT, "The input has no text.");
  }
  const body = JSON.stringify(texts);
  const answer = await fetch(env.SETTINGS.embedder, { method: "POST", body });
  const data = (await answer.json()).map((vector) => filledUp(vector, dimensions));
  return success({ shape: [data.length, dimensions], data, pooling });
}

function filledUp(vector, dimensions) {
  return [...vector, ...Array(dimensions - vector.length).fill(0)];
}
