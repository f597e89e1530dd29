// The account: what was made in it, kept in a file of its folder, and the Miniflare that runs it.
//
// workerd knows its databases, buckets and queues from its start, so it is started anew when one is
// made or removed (half a second). What is on disk stays: D1, R2, Vectorize, and what a queue has
// delivered. A message that a queue holds back is lost then, as Miniflare keeps those in memory.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const FACADE = join(dirname(fileURLToPath(import.meta.url)), "facade");
const ENTRY = "main.mjs";
const FILE = "account.json";

/**
 * The running account, from where Miniflare's entry point is and
 *
 * - account: its id
 * - tokens: {value: {id, services}}, the first of which is also R2's; services null are all
 * - embedder: where the texts for Workers AI go
 * - folder: where everything is kept
 * - resources: {databases, buckets, queues, gateways}, lists of records by id, for a new folder
 */
export async function openAccount(entryPoint, { folder, resources: first, ...settings }) {
  const { Miniflare, NoOpLog, convertV4MiniflareOptions } = (
    await import(pathToFileURL(entryPoint))
  ).default;
  const file = join(folder, FILE);
  const resources = existsSync(file) ? JSON.parse(readFileSync(file)) : first;
  const shared = { host: "127.0.0.1", port: 0, cf: false, logRequests: false };
  const options = () =>
    convertV4MiniflareOptions({
      ...shared,
      log: new NoOpLog(),
      resourcePersistencePath: folder,
      workers: [facade({ ...settings, ...resources })],
    });
  const miniflare = new Miniflare(options());
  let url = await miniflare.ready;

  return {
    /** Where workerd listens now. */
    get url() {
      return url;
    },

    /** Puts a record into a list, or drops the one of an id; true of the account afterwards. */
    async change({ list, put, drop }) {
      const others = resources[list].filter(({ id }) => id !== (put?.id ?? drop));
      resources[list] = put === undefined ? others : [...others, put];
      writeFileSync(`${file}.new`, JSON.stringify(resources));
      renameSync(`${file}.new`, file);
      await miniflare.setOptions(options());
      url = await miniflare.ready;
    },

    async close() {
      await miniflare.dispose();
    },
  };
}

/** The Worker that speaks the v4 paths, bound to all that is there: `D1_0`, `D1_1`, … */
function facade(settings) {
  const { databases, buckets, queues, tokens } = settings;
  const bindings = (prefix, records, describe) =>
    Object.fromEntries(records.map(({ id }, place) => [`${prefix}_${place}`, describe(id)]));
  const s3Credentials = s3CredentialsOf(tokens);
  return {
    name: "facade",
    modules: modules(),
    modulesRoot: FACADE,
    compatibilityDate: "2026-11-17",
    compatibilityFlags: ["d1_binding_jsrpc"], // D1Database.query: rows with their columns
    bindings: { SETTINGS: settings },
    d1Databases: bindings("D1", databases, (id) => id),
    r2Buckets: bindings("R2", buckets, (id) => ({ id, s3Credentials })),
    queueProducers: bindings("QUEUE", queues, (queueName) => ({ queueName })),
    queueConsumers: Object.fromEntries(
      queues.map(({ id }) => [id, { maxBatchSize: 100, maxBatchTimeout: 0 }]),
    ),
    durableObjects: {
      VECTORIZE: { className: "Vectorize", useSQLite: true },
      INBOXES: { className: "Inbox", useSQLite: true },
    },
  };
}

function modules() {
  return readdirSync(FACADE)
    .filter((name) => name.endsWith(".mjs"))
    .sort((one, other) => Number(other === ENTRY) - Number(one === ENTRY)) // it comes first
    .map((name) => ({ type: "ESModule", path: join(FACADE, name) }));
}

// Source: https://developers.cloudflare.com/r2/api/tokens/ (2026-09): the secret access key is the
// SHA-256 of the API token's value, the access key id is the token's id.
function s3CredentialsOf(tokens) {
  const [value, { id }] = Object.entries(tokens)[0];
  return { accessKeyId: id, secretAccessKey: createHash("sha256").update(value).digest("hex") };
}
