// D1 over its REST paths: `/query` and `/raw`, one statement or a `batch`, which is a transaction.
// Source: https://developers.cloudflare.com/api/resources/d1/ (2026-11).

import { noRoute, readJson, Refusal, success } from "./envelope.mjs";

const SQL_ERROR = 7500;
const NOT_FOUND = 7404;

const FORMATS = { query: asObjects, raw: asRaw };

/** Answers `/d1/database[/{id}[/query|/raw]]`. */
export async function answerD1(request, [, id, verb], { env, bound }) {
  const { databases } = env.SETTINGS;
  if (id === undefined && request.method === "GET") return list(request, databases);
  const database = bound(env, "D1", databases, id);
  if (database === undefined) throw new Refusal(404, NOT_FOUND, "The database does not exist.");
  if (verb === undefined && request.method === "GET") return success(described(id));
  if (request.method !== "POST" || FORMATS[verb] === undefined) throw noRoute();
  const body = await readJson(request);
  const results = await run(database, body.batch ?? [body]);
  return success(results.map(FORMATS[verb]));
}

function list(request, databases) {
  const name = new URL(request.url).searchParams.get("name");
  const found = databases.filter((id) => name === null || name === id).map(described);
  const info = { page: 1, per_page: 100, count: found.length, total_count: found.length };
  return success(found, info);
}

function described(id) {
  return { uuid: id, name: id, version: "production", created_at: "2026-11-24T00:00:00.000Z" };
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
