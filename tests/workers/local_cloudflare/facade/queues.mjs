// Queues: a message is published to the real queue, whose consumer is this Worker; it puts what
// arrives into an inbox, from which `messages/pull` leases it. So publishing, delays, batches and
// delivery are the real queue's, and the leases of a pull consumer are played.
// Source: https://developers.cloudflare.com/queues/configuration/pull-consumers/ (2026-09).

import { DurableObject } from "cloudflare:workers";

import { dropping, now, paged, putting, requireFreeName } from "./changes.mjs";
import { answerConsumers, NOT_PULLED, PULLED } from "./consumers.mjs";
import { noRoute, readJson, Refusal, success } from "./envelope.mjs";

const NOT_FOUND = 11000;
const TOO_MUCH = 11001;
const EXISTS = 11009;

const MAX_BATCH_MESSAGES = 100;
const MAX_BATCH_BYTES = 256_000;
const MAX_MESSAGE_BYTES = 128_000;
const MAX_PULLED = 100;
const DEFAULT_PULLED = 5;
const DEFAULT_VISIBILITY_MS = 30_000;

const NAME = {
  form: /^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/,
  taken: new Refusal(409, EXISTS, "Queue name is already taken."),
};

/** Answers `/queues[/{id}[/metrics|/consumers[/{id}]|/messages[/batch|/pull|/ack]]]`. */
export async function answerQueues(request, [id, ...verbs], { env, bound }) {
  const { queues } = env.SETTINGS;
  if (id === undefined) return answerAll(request, queues);
  const queue = bound(env, "QUEUE", queues, id);
  if (queue === undefined) throw new Refusal(404, NOT_FOUND, "The queue does not exist.");
  const record = queues.find((each) => each.id === id);
  if (verbs[0] === "consumers") return answerConsumers(request, record, verbs[1]);
  switch (`${request.method} ${verbs.join("/")}`) {
    case "GET ":
      return success(described(record));
    case "GET metrics":
      return success(await inbox(env, id).metrics());
    case "DELETE ":
      await inbox(env, id).empty();
      return dropping("queues", id, success(null));
    case "POST messages":
      return publish(queue, [await readJson(request)]);
    case "POST messages/batch":
      return publishBatch(queue, await readJson(request));
    case "POST messages/pull":
      if (!record.consumers.some(({ type }) => type === PULLED)) throw NOT_PULLED;
      return success(await inbox(env, id).pull(await readJson(request)));
    case "POST messages/ack":
      return success(await inbox(env, id).settle(await readJson(request)));
    default:
      throw noRoute();
  }
}

async function answerAll(request, queues) {
  if (request.method === "GET") return success(...paged(request, queues, described));
  if (request.method !== "POST") throw noRoute();
  const { queue_name: name, jurisdiction = null } = await readJson(request);
  requireFreeName(name, queues.some((each) => each.name === name), NAME);
  const id = crypto.randomUUID().replaceAll("-", "");
  const record = { id, name, jurisdiction, created: now(), consumers: [] };
  return putting("queues", record, success(described(record)));
}

function described({ id, name, jurisdiction = null, created, consumers }) {
  return {
    queue_id: id,
    queue_name: name,
    jurisdiction,
    created_on: created,
    modified_on: created,
    producers_total_count: 0,
    producers: [],
    consumers_total_count: consumers.length,
    consumers,
  };
}

function inbox(env, name) {
  return env.INBOXES.get(env.INBOXES.idFromName(name));
}

async function publishBatch(queue, { messages, delay_seconds: delaySeconds }) {
  return publish(queue, messages, delaySeconds);
}

async function publish(queue, messages, delaySeconds) {
  const sizes = messages.map(({ body }) => {
    return new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)).length;
  });
  const isTooMuch =
    messages.length > MAX_BATCH_MESSAGES ||
    sizes.some((size) => size > MAX_MESSAGE_BYTES) ||
    sizes.reduce((sum, size) => sum + size, 0) > MAX_BATCH_BYTES;
  if (isTooMuch) throw new Refusal(413, TOO_MUCH, "The messages are too many or too large.");
  const sent = messages.map(({ body, content_type: contentType, delay_seconds: delay }) => ({
    body,
    contentType: contentType ?? "json",
    delaySeconds: delay ?? delaySeconds,
  }));
  await queue.sendBatch(sent);
  return success({ metadata: { metrics: {} } });
}

/** Puts what the real queue delivers into its inbox. */
export async function deliver(batch, env) {
  const arrived = batch.messages.map(({ id, body, timestamp }) => {
    const isText = typeof body === "string";
    const bytes = isText ? null : new TextEncoder().encode(JSON.stringify(body));
    const carried = isText ? body : btoa(String.fromCharCode(...bytes));
    return { id, body: carried, type: isText ? "text" : "json", timestampMs: timestamp.getTime() };
  });
  await inbox(env, batch.queue).put(arrived);
}

/** The messages of a queue that have arrived, and who has leased them until when. */
export class Inbox extends DurableObject {
  constructor(context, env) {
    super(context, env);
    this.sql = context.storage.sql;
    this.sql.exec(`
      CREATE TABLE IF NOT EXISTS messages (
        id TEXT PRIMARY KEY, body TEXT, type TEXT, timestamp_ms INTEGER, visible_at_ms INTEGER,
        attempts INTEGER, lease TEXT UNIQUE)`);
  }

  put(messages) {
    for (const { id, body, type, timestampMs } of messages) {
      this.sql.exec(
        "INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, 0, 0, NULL)",
        id,
        body,
        type,
        timestampMs,
      );
    }
  }

  pull(body) {
    const { batch_size: size = DEFAULT_PULLED } = body;
    const { visibility_timeout_ms: visible = DEFAULT_VISIBILITY_MS } = body;
    const now = Date.now();
    const rows = this.sql
      .exec(
        "SELECT * FROM messages WHERE visible_at_ms <= ? ORDER BY timestamp_ms, id LIMIT ?",
        now,
        Math.min(size, MAX_PULLED),
      )
      .toArray();
    const messages = rows.map((row) => {
      const lease = crypto.randomUUID();
      this.sql.exec(
        "UPDATE messages SET lease = ?, visible_at_ms = ?, attempts = attempts + 1 WHERE id = ?",
        lease,
        now + visible,
        row.id,
      );
      return {
        id: row.id,
        body: row.body,
        timestamp_ms: row.timestamp_ms,
        attempts: row.attempts + 1,
        metadata: { "CF-Content-Type": row.type, "CF-sourceMessageSource": "dash" },
        lease_id: lease,
      };
    });
    return { message_backlog_count: this.#count(), messages };
  }

  settle({ acks = [], retries = [] }) {
    const warnings = {};
    const take = (lease, sql, ...parameters) => {
      const { rowsWritten } = this.sql.exec(sql, ...parameters, lease);
      if (rowsWritten === 0) warnings[lease] = "The lease is unknown or has passed on.";
      return Number(rowsWritten > 0);
    };
    let ackCount = 0;
    let retryCount = 0;
    for (const { lease_id: lease } of acks) {
      ackCount += take(lease, "DELETE FROM messages WHERE lease = ?");
    }
    for (const { lease_id: lease, delay_seconds: delay = 0 } of retries) {
      const visible = Date.now() + delay * 1000;
      retryCount += take(
        lease,
        "UPDATE messages SET visible_at_ms = ?, lease = NULL WHERE lease = ?",
        visible,
      );
    }
    return { ackCount, retryCount, warnings };
  }

  metrics() {
    const [{ count, bytes, oldest }] = this.sql
      .exec(
        `SELECT count(*) AS count, coalesce(sum(length(CAST(body AS BLOB))), 0) AS bytes,
          coalesce(min(timestamp_ms), 0) AS oldest FROM messages`,
      )
      .toArray();
    return { backlog_count: count, backlog_bytes: bytes, oldest_message_timestamp_ms: oldest };
  }

  empty() {
    this.sql.exec("DELETE FROM messages");
  }

  #count() {
    return this.sql.exec("SELECT count(*) AS n FROM messages").one().n;
  }
}
