// D1 over its REST paths: databases, and `/query` and `/raw` in them, one statement or a `batch`,
// which is a transaction. Source: https://developers.cloudflare.com/api/resources/d1/ (2026-11).

import { dropping, now, paged, putting, requireFreeName } from "./changes.mjs";
import { noRoute, readJson, Refusal, success } from "./envelope.mjs";

const SQL_ERROR = 7500;
const NOT_FOUND = 7404;
const NAME_TAKEN = 7502;
const NAME = {
  form: /^[A-Za-z0-9_-]{1,64}$/,
  taken: new Refusal(400, NAME_TAKEN, "A database with that name already exists."),
};

const FORMATS = { query: asObjects, raw: asRaw };

/** Answers `/d1/database[/{id}[/query|/raw]]`. */
export async function answerD1(request, [, id, verb], { env, bound }) {
  const { databases } = env.SETTINGS;
  if (id === undefined) return answerAll(request, databases);
  const database = bound(env, "D1", databases, id);
  if (database === undefined) throw new Refusal(404, NOT_FOUND, "The database does not exist.");
  if (verb === undefined) {
    const record = databases.find((each) => each.id === id);
    return answerOne(request, record, database);
  }
  if (request.method !== "POST" || FORMATS[verb] === undefined) throw noRoute();
  const body = await readJson(request);
  const results = await run(database, body.batch ?? [body]);
  return success(results.map(FORMATS[verb]));
}

async function answerAll(request, databases) {
  if (request.method === "GET") {
    const searched = new URL(request.url).searchParams.get("name") ?? "";
    const found = databases.filter(({ name }) => name.includes(searched));
    return success(...paged(request, found, described));
  }
  if (request.method !== "POST") throw noRoute();
  const { name, jurisdiction = null } = await readJson(request);
  requireFreeName(name, databases.some((each) => each.name === name), NAME);
  const record = { id: crypto.randomUUID(), name, jurisdiction, created: now() };
  return putting("databases", record, success(described(record)));
}

async function answerOne(request, record, database) {
  if (request.method === "GET") {
    const [{ meta }] = await run(database, [{ sql: "SELECT 1" }]);
    return success({ ...described(record), file_size: meta.size_after });
  }
  if (request.method !== "DELETE") throw noRoute();
  await emptyDatabase(database); // its file stays in the folder
  return dropping("databases", record.id, success(null));
}

function described({ id, name, jurisdiction = null, created }) {
  return { uuid: id, name, jurisdiction, version: "production", created_at: created };
}

/** The results of statements that run as one transaction, each with its columns and rows. */
async function run(database, statements) {
  try {
    const { results } = await database.query({ queries: statements });
    return results;
  } catch (error) {
    throw new Refusal(400, SQL_ERROR, error.message.replace(/^D1_ERROR: /, ""));
  }
}

function asRaw({ data: { columns, rows }, meta }) {
  return { success: true, meta, results: { columns, rows } };
}

function asObjects({ data: { columns, rows }, meta }) {
  const named = (row) => Object.fromEntries(columns.map((name, place) => [name, row[place]]));
  return { success: true, meta, results: rows.map(named) };
}

const OWN_TABLES = `
  SELECT name, type, sql LIKE 'CREATE VIRTUAL%' FROM sqlite_schema
  WHERE type IN ('table', 'view') AND substr(name, 1, 4) NOT IN ('_cf_', 'sqli')`;

/** Drops every table and view. */
export async function emptyDatabase(database) {
  if (database === undefined) throw new Refusal(404, NOT_FOUND, "The database does not exist.");
  const virtual = (await tables(database)).filter(([, , isVirtual]) => isVirtual);
  await drop(database, virtual); // and with it goes what it kept in tables of its own
  await drop(database, await tables(database));
}

async function tables(database) {
  const [{ data }] = await run(database, [{ sql: OWN_TABLES }]);
  return data.rows;
}

async function drop(database, dropped) {
  if (dropped.length === 0) return;
  const statements = dropped.map(([name, type]) => ({ sql: `DROP ${type} "${name}"` }));
  await run(database, [{ sql: "PRAGMA defer_foreign_keys = on" }, ...statements]);
}
