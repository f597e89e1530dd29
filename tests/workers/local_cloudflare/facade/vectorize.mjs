// Vectorize, played in a Durable Object: exact cosine, and a mutation counts only once its delay
// has passed. Of the error codes only 40007 is known from the service; the others stand for its
// 4xx. Source: https://developers.cloudflare.com/vectorize/platform/limits/ (2026-09).

import { DurableObject } from "cloudflare:workers";

import { noRoute, readJson, Refusal, success } from "./envelope.mjs";
import { indexedPart, matches, parseFilter } from "./filters.mjs";
import { checkVector, cosine, parsed, require, shown } from "./vectors.mjs";

const MAX_DIMENSIONS = 1536;
const MAX_UPSERTED = 5000;
const MAX_DELETED = 100;
const MAX_FETCHED = 20;
const MAX_LISTED = 1000;
const MAX_TOP_K = 100;
const MAX_TOP_K_WITH_VALUES = 50;
const MAX_METADATA_INDEXES = 10;

const NOT_FOUND = 3000;
const DUPLICATE = 3002;
const TOO_MANY = 40007;

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS indexes (
    name TEXT PRIMARY KEY, dimensions INTEGER, description TEXT, created_on TEXT,
    delay_ms INTEGER DEFAULT 0, processed_id TEXT, processed_at_ms INTEGER)`,
  `CREATE TABLE IF NOT EXISTS properties (
    index_name TEXT, name TEXT, type TEXT, PRIMARY KEY (index_name, name))`,
  `CREATE TABLE IF NOT EXISTS vectors (
    index_name TEXT, id TEXT, namespace TEXT, metadata TEXT, indexed TEXT, floats BLOB,
    PRIMARY KEY (index_name, id))`,
  `CREATE TABLE IF NOT EXISTS changes (
    change_key INTEGER PRIMARY KEY, index_name TEXT, mutation TEXT, at_ms INTEGER, kind TEXT,
    body TEXT)`,
];
const BY_INDEX = ["properties", "vectors", "changes"];

/** All indexes, by name. */
export class Vectorize extends DurableObject {
  constructor(context, env) {
    super(context, env);
    this.sql = context.storage.sql;
    for (const table of SCHEMA) this.#run(table);
  }

  async fetch(request) {
    try {
      return await this.#answer(request);
    } catch (error) {
      if (error instanceof Refusal) return error.response;
      throw error;
    }
  }

  async #answer(request) {
    const { pathname, searchParams } = new URL(request.url);
    const [local, name] = pathname.split("/vectorize/");
    if (local === "/local") return this.#setDelay(name.split("/")[0], await readJson(request));
    const [version, indexes, index, ...verbs] = name.split("/");
    if (version !== "v2" || indexes !== "indexes") throw noRoute();
    if (index === undefined) return this.#answerIndexes(request);
    const config = this.#run("SELECT * FROM indexes WHERE name = ?", index)[0];
    if (config === undefined) throw new Refusal(404, NOT_FOUND, `Index ${index} was not found.`);
    this.#catchUp(config);
    switch (`${request.method} ${verbs.join("/")}`) {
      case "GET ":
        return success(described(config));
      case "DELETE ":
        return this.#delete(index);
      case "GET info":
        return success(this.#info(index));
      case "GET list":
        return success(this.#list(index, searchParams));
      case "GET metadata_index/list":
        return success({ metadataIndexes: this.#properties(index).map(asMetadataIndex) });
      case "POST metadata_index/create":
        return success(this.#createProperty(index, await readJson(request)));
      case "POST metadata_index/delete":
        return success(this.#change(index, "forget", [await readJson(request)]));
      case "POST insert":
      case "POST upsert":
        return success(this.#write(config, verbs[0], await request.text()));
      case "POST query":
        return success(this.#query(config, await readJson(request)));
      case "POST get_by_ids":
        return success(this.#fetch(index, await readJson(request)));
      case "POST delete_by_ids":
        return success(this.#remove(index, await readJson(request)));
      default:
        throw noRoute();
    }
  }

  #run(sql, ...parameters) {
    return this.sql.exec(sql, ...parameters).toArray();
  }

  async #answerIndexes(request) {
    if (request.method === "GET") return success(this.#run("SELECT * FROM indexes").map(described));
    const { name, description = "", config } = await readJson(request);
    const { dimensions, metric } = config ?? {};
    require(dimensions >= 1 && dimensions <= MAX_DIMENSIONS, "The dimensions are out of range.");
    require(metric === "cosine", "Only the metric cosine is played here.");
    const row = [name, dimensions, description, new Date().toISOString()];
    const into = "INSERT OR IGNORE INTO indexes (name, dimensions, description, created_on)";
    const made = this.#run(`${into} VALUES (?, ?, ?, ?) RETURNING *`, ...row);
    if (made.length === 0) throw new Refusal(409, DUPLICATE, `Index ${name} exists already.`);
    return success(described(made[0]));
  }

  #delete(index) {
    for (const table of BY_INDEX) this.#run(`DELETE FROM ${table} WHERE index_name = ?`, index);
    this.#run("DELETE FROM indexes WHERE name = ?", index);
    return success(null);
  }

  #setDelay(index, { delay_ms: delay }) {
    this.#run("UPDATE indexes SET delay_ms = ? WHERE name = ?", delay, index);
    return success(null);
  }

  /** Notes what a mutation changes; it is carried out when its time has come. */
  #change(index, kind, bodies) {
    const mutationId = crypto.randomUUID();
    for (const body of bodies) {
      const row = [index, mutationId, Date.now(), kind, JSON.stringify(body)];
      const columns = "(index_name, mutation, at_ms, kind, body)";
      this.#run(`INSERT INTO changes ${columns} VALUES (?, ?, ?, ?, ?)`, ...row);
    }
    return { mutationId };
  }

  #catchUp({ name, delay_ms: delay }) {
    const due = "FROM changes WHERE index_name = ? AND at_ms <= ?";
    const until = Date.now() - delay;
    for (const change of this.#run(`SELECT * ${due} ORDER BY change_key`, name, until)) {
      this.#apply(name, change.kind, JSON.parse(change.body));
      this.#run(
        "UPDATE indexes SET processed_id = ?, processed_at_ms = ? WHERE name = ?",
        change.mutation,
        change.at_ms,
        name,
      );
    }
    this.#run(`DELETE ${due}`, name, until);
  }

  #apply(index, kind, body) {
    const { propertyName, indexType } = body;
    switch (kind) {
      case "index": {
        const row = [index, propertyName, indexType];
        this.#run("INSERT OR REPLACE INTO properties VALUES (?, ?, ?)", ...row);
        break;
      }
      case "forget":
        this.#run("DELETE FROM properties WHERE index_name = ? AND name = ?", index, propertyName);
        break;
      case "delete":
        this.#run("DELETE FROM vectors WHERE index_name = ? AND id = ?", index, body);
        break;
      default: {
        const { id, namespace = "", metadata = {}, values } = body;
        const indexed = JSON.stringify(indexedPart(metadata, this.#properties(index)));
        const row = [index, id, namespace, JSON.stringify(metadata), indexed];
        const floats = new Float32Array(values).buffer;
        const or = kind === "insert" ? "IGNORE" : "REPLACE";
        this.#run(`INSERT OR ${or} INTO vectors VALUES (?, ?, ?, ?, ?, ?)`, ...row, floats);
      }
    }
  }

  #properties(index) {
    return this.#run("SELECT name, type FROM properties WHERE index_name = ? ORDER BY name", index);
  }

  #createProperty(index, body) {
    const isType = ["string", "number", "boolean"].includes(body.indexType);
    require(isType && body.propertyName, "The metadata index needs a property and a type.");
    const count = this.#properties(index).length;
    require(count < MAX_METADATA_INDEXES, "The index has its ten metadata indexes already.");
    return this.#change(index, "index", [body]);
  }

  #write({ name, dimensions }, kind, text) {
    const vectors = text.split("\n").filter((line) => line.trim() !== "").map(parsed);
    require(vectors.length <= MAX_UPSERTED, "There are too many vectors in one call.", TOO_MANY);
    for (const vector of vectors) checkVector(vector, dimensions);
    return this.#change(name, kind, vectors);
  }

  #remove(index, { ids }) {
    const message = `too many ids in payload; max id count is ${MAX_DELETED}, got ${ids.length}`;
    require(ids.length <= MAX_DELETED, message, TOO_MANY);
    return this.#change(index, "delete", ids);
  }

  #fetch(index, { ids }) {
    require(ids.length <= MAX_FETCHED, `At most ${MAX_FETCHED} ids are fetched.`, TOO_MANY);
    const among = "id IN (SELECT value FROM json_each(?))";
    const wanted = `SELECT * FROM vectors WHERE index_name = ? AND ${among}`;
    return this.#run(wanted, index, JSON.stringify(ids)).map((row) => shown(row, "all", true));
  }

  #list(index, searchParams) {
    const count = Math.min(Number(searchParams.get("count") ?? 100), MAX_LISTED);
    const after = searchParams.get("cursor") ?? "";
    const page = "SELECT id FROM vectors WHERE index_name = ? AND id > ? ORDER BY id LIMIT ?";
    const rows = this.#run(page, index, after, count + 1);
    const vectors = rows.slice(0, count);
    const totalCount = this.#info(index).vectorCount;
    const isTruncated = rows.length > count;
    const more = isTruncated ? { nextCursor: vectors.at(-1).id } : {};
    return { count: vectors.length, totalCount, isTruncated, vectors, ...more };
  }

  #info(index) {
    const [config] = this.#run("SELECT * FROM indexes WHERE name = ?", index);
    const [{ n }] = this.#run("SELECT count(*) AS n FROM vectors WHERE index_name = ?", index);
    const processed = config.processed_id && {
      processedUpToMutation: config.processed_id,
      processedUpToDatetime: new Date(config.processed_at_ms).toISOString(),
    };
    return { vectorCount: n, dimensions: config.dimensions, ...processed };
  }

  #query({ name, dimensions }, body) {
    const { vector, namespace, filter, topK = 5 } = body;
    const { returnValues = false, returnMetadata = "none" } = body;
    require(vector?.length === dimensions, `The index has ${dimensions} dimensions.`);
    const isHeavy = returnValues || returnMetadata === "all";
    const most = isHeavy ? MAX_TOP_K_WITH_VALUES : MAX_TOP_K;
    require(topK >= 1 && topK <= most, `topK may be 1 to ${most}.`);
    const conditions = filter === undefined ? [] : parseFilter(filter);
    require(conditions !== null, "The filter is not valid.");
    const among = namespace === undefined ? "" : " AND namespace = ?";
    const sql = `SELECT * FROM vectors WHERE index_name = ?${among}`;
    const rows = this.#run(sql, name, ...(namespace === undefined ? [] : [namespace]));
    const nearest = rows
      .filter((row) => matches(JSON.parse(row.indexed), conditions))
      .map((row) => ({ row, score: cosine(vector, new Float32Array(row.floats)) }))
      .sort((one, other) => other.score - one.score)
      .slice(0, topK);
    const found = nearest.map(({ row, score }) => {
      return { score, ...shown(row, returnMetadata, returnValues) };
    });
    return { count: found.length, matches: found };
  }
}

function described({ name, description, dimensions, created_on: createdOn }) {
  const config = { dimensions, metric: "cosine" };
  return { name, description, config, created_on: createdOn, modified_on: createdOn };
}

function asMetadataIndex({ name, type }) {
  return { propertyName: name, indexType: type };
}
