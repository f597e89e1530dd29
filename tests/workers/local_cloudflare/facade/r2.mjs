// R2's objects over the v4 REST paths; the S3 endpoint is Miniflare's own.
// Source: https://developers.cloudflare.com/api/resources/r2/ (2026-11).

import { noRoute, Refusal, success } from "./envelope.mjs";

const NO_BUCKET = 10006;
const NO_OBJECT = 10007;
const PAGE = 1000;

const MISSING = "The specified bucket does not exist.";

/** Answers `/r2/buckets[/{bucket}[/objects[/{key}]]]`; a key's slashes are not encoded. */
export async function answerR2(request, [, name, objects, ...segments], { env, bound }) {
  const { buckets } = env.SETTINGS;
  if (name === undefined && request.method === "GET") {
    return success({ buckets: buckets.map(described) });
  }
  const bucket = bound(env, "R2", buckets, name);
  if (bucket === undefined) throw new Refusal(404, NO_BUCKET, MISSING);
  if (objects === undefined && request.method === "GET") return success(described(name));
  if (objects !== "objects") throw noRoute();
  if (segments.length === 0) return list(request, bucket);
  return answerObject(request, bucket, segments.map(decodeURIComponent).join("/"));
}

function described(name) {
  const created = { creation_date: "2026-11-24T00:00:00.000Z", location: "weur" };
  return { name, ...created, storage_class: "Standard" };
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
