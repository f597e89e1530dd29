// R2's buckets and objects over the v4 REST paths; the S3 endpoint is Miniflare's own.
// Source: https://developers.cloudflare.com/api/resources/r2/ (2026-11).

import { dropping, now, putting, requireFreeName } from "./changes.mjs";
import { noRoute, readJson, Refusal, success } from "./envelope.mjs";

const EXISTS = 10004;
const NO_BUCKET = 10006;
const NO_OBJECT = 10007;
const NOT_EMPTY = 10008;
const PAGE = 1000;

const MISSING = "The specified bucket does not exist.";
const NAME = {
  form: /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
  taken: new Refusal(409, EXISTS, "The bucket you tried to create already exists."),
};

/**
 * Answers `/r2/buckets[/{bucket}[/objects[/{key}]]]`; a key's slashes are not encoded. A bucket is
 * seen only by who names its jurisdiction; unlike there, no two of them have the same name.
 */
export async function answerR2(request, [, name, objects, ...segments], { env, bound }) {
  const { buckets } = env.SETTINGS;
  if (name === undefined) return answerAll(request, buckets);
  const record = buckets.find(({ id }) => id === name);
  if (record === undefined || withinOf(record) !== asked(request)) {
    throw new Refusal(404, NO_BUCKET, MISSING);
  }
  const bucket = bound(env, "R2", buckets, name);
  if (objects === undefined) return answerOne(request, record, bucket);
  if (objects !== "objects") throw noRoute();
  if (segments.length === 0) return list(request, bucket);
  return answerObject(request, bucket, segments.map(decodeURIComponent).join("/"));
}

const ANYWHERE = "default";

/** The jurisdiction that a request is about. */
const asked = (request) => request.headers.get("cf-r2-jurisdiction") ?? ANYWHERE;

const withinOf = ({ jurisdiction = ANYWHERE }) => jurisdiction;

async function answerAll(request, buckets) {
  if (request.method === "GET") {
    const searched = new URL(request.url).searchParams.get("name_contains") ?? "";
    const seen = buckets.filter((each) => withinOf(each) === asked(request));
    return success({ buckets: seen.filter(({ id }) => id.includes(searched)).map(described) });
  }
  if (request.method !== "POST") throw noRoute();
  const { name, locationHint = "weur" } = await readJson(request);
  requireFreeName(name, buckets.some(({ id }) => id === name), NAME);
  const within = { jurisdiction: asked(request), location: locationHint };
  const record = { id: name, ...within, created: now() };
  return putting("buckets", record, success(described(record)));
}

async function answerOne(request, record, bucket) {
  if (request.method === "GET") return success(described(record));
  if (request.method !== "DELETE") throw noRoute();
  const { objects } = await bucket.list({ limit: 1 });
  if (objects.length > 0) throw new Refusal(409, NOT_EMPTY, "The bucket is not empty.");
  return dropping("buckets", record.id, success({}));
}

function described({ id, location, created, ...within }) {
  const where = { jurisdiction: withinOf(within), location };
  return { name: id, creation_date: created, ...where, storage_class: "Standard" };
}

async function answerObject(request, bucket, key) {
  switch (request.method) {
    case "PUT": {
      const contentType = request.headers.get("content-type") ?? "application/octet-stream";
      const httpMetadata = { contentType };
      const object = await bucket.put(key, await request.arrayBuffer(), { httpMetadata });
      const { etag, size, uploaded, version } = object;
      return success({ key, etag, size: String(size), uploaded: uploaded.toISOString(), version });
    }
    case "GET": {
      const object = await bucket.get(key);
      if (object === null) throw new Refusal(404, NO_OBJECT, "The specified key does not exist.");
      const headers = new Headers({ etag: object.httpEtag });
      object.writeHttpMetadata(headers);
      return new Response(object.body, { headers });
    }
    case "DELETE":
      await bucket.delete(key);
      return success({ key });
    default:
      throw noRoute();
  }
}

async function list(request, bucket) {
  if (request.method !== "GET") throw noRoute();
  const { searchParams } = new URL(request.url);
  const limit = Number(searchParams.get("per_page") ?? PAGE);
  const options = { prefix: searchParams.get("prefix") ?? undefined, limit };
  const page = await bucket.list({ ...options, cursor: searchParams.get("cursor") ?? undefined });
  const objects = page.objects.map(({ key, size, etag, uploaded }) => ({
    key,
    size,
    etag,
    last_modified: uploaded.toISOString(),
  }));
  const cursor = page.truncated ? page.cursor : "";
  return success(objects, { cursor, is_truncated: page.truncated, per_page: limit });
}

/** Deletes every object. */
export async function emptyBucket(bucket) {
  if (bucket === undefined) throw new Refusal(404, NO_BUCKET, MISSING);
  for (;;) {
    const { objects } = await bucket.list({ limit: PAGE });
    if (objects.length === 0) return;
    await bucket.delete(objects.map(({ key }) => key));
  }
}
