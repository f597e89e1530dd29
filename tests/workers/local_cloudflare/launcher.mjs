// One local Cloudflare: a Worker that speaks the v4 REST API over the real D1, R2 and Queues of
// workerd, and R2's S3 endpoint beside it.
//
//   node launcher.mjs MINIFLARE
//
// MINIFLARE is where the package's entry point is. The first line of stdin is the settings, JSON:
// {account, token, token_id, databases: [], buckets: [], queues: [], embedder, folder}; databases
// and queues are ids, buckets names. It prints one line, {"url": …}, when it is ready, and stops
// when its stdin closes.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";

const { Miniflare, NoOpLog, convertV4MiniflareOptions } = (
  await import(pathToFileURL(process.argv[2]))
).default;

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, "line");
const settings = JSON.parse(line);
const closed = once(lines, "close");

/** A binding each, named by its place in the list: `D1_0`, `D1_1`, … */
const bindings = (prefix, values, describe) =>
  Object.fromEntries(values.map((value, place) => [`${prefix}_${place}`, describe(value)]));

// Source: https://developers.cloudflare.com/r2/api/tokens/ (2026-09): the secret access key is the
// SHA-256 of the API token's value, the access key id is the token's id.
const s3Credentials = {
  accessKeyId: settings.token_id,
  secretAccessKey: createHash("sha256").update(settings.token).digest("hex"),
};

const folder = join(dirname(fileURLToPath(import.meta.url)), "facade");
const modules = readdirSync(folder)
  .filter((name) => name.endsWith(".mjs"))
  .sort((one, other) => Number(other === "main.mjs") - Number(one === "main.mjs")) // it enters
  .map((name) => ({ type: "ESModule", path: join(folder, name) }));

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    log: new NoOpLog(),
    logRequests: false,
    resourcePersistencePath: settings.folder,
    workers: [
      {
        name: "facade",
        modules,
        modulesRoot: folder,
        compatibilityDate: "2026-11-17",
        compatibilityFlags: ["d1_binding_jsrpc"], // D1Database.query: rows with their columns
        bindings: { SETTINGS: settings },
        d1Databases: bindings("D1", settings.databases, (id) => id),
        r2Buckets: bindings("R2", settings.buckets, (id) => ({ id, s3Credentials })),
        queueProducers: bindings("QUEUE", settings.queues, (queueName) => ({ queueName })),
        queueConsumers: Object.fromEntries(
          settings.queues.map((name) => [name, { maxBatchSize: 100, maxBatchTimeout: 0 }]),
        ),
        durableObjects: {
          VECTORIZE: { className: "Vectorize", useSQLite: true },
          INBOXES: { className: "Inbox", useSQLite: true },
        },
      },
    ],
  }),
);

const url = await miniflare.ready;
console.log(JSON.stringify({ url: url.origin }));
await closed;
await miniflare.dispose();
process.exit(0);
