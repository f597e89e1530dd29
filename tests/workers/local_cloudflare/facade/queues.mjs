// Queues: a message is published to the real queue, whose consumer is this Worker; it puts what
// arrives into an inbox, from which `messages/pull` leases it. So publishing, delays, batches and
// delivery are the real queue's, and the leases of a pull consumer are played.
// Source: https://developers.cloudflare.com/queues/configuration/pull-consumers/ (2026-09).

import { DurableObject } from "cloudflare:workers";

import { noRoute, readJson, Refusal, success } from "./envelope.mjs";

const NOT_FOUND = 11000;
const TOO_MUCH = 11001;

const MAX_BATCH_MESSAGES = 100;
const MAX_BATCH_BYTES = 256_000;
const MAX_MESSAGE_BYTES = 128_000;
const MAX_PULLED = 100;
const DEFAULT_PULLED = 5;
const DEFAULT_VISIBILITY_MS = 30_000;

/** Answers `/queues[/{id}[/messages[/batch|/pull|/ack]]]`; a queue's id is its name. */
export async function answerQueues(request, [name, ...verbs], { env, bound }) {
  const { queues } = env.SETTINGS;
  if (name === undefined && request.method === "GET") return success(queues.map(described));
  const queue = bound(env, "QUEUE", queues, name);
  if (queue === undefined) throw new Refusal(404, NOT_FOUND, "The queue does not exist.");
  if (verbs.length === 0 && request.method === "GET") return success(described(name));
  if (request.method !== "POST") throw noRoute();
  const body = await readJson(request);
  switch (verbs.join("/")) {
    case "messages":
      return publish(queue, [body], body.delay_seconds);
    case "messages/batch":
      return publish(queue, body.messages, body.delay_seconds);
    case "messages/pull":
      return success(await inbox(env, name).pull(body));
    case "messages/ack":
      return success(await inbox(env, name).settle(body));
    default:
      throw noRoute();
  }
}

function described(name) {
  return { queue_id: name, queue_name: name, producers_total_count: 1, consumers_total_count: 1 };
}

function inbox(env, name) {
  return env.INBOXES.get(env.INBOXES.idFromName(name));
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

  #count() {
    return this.sql.exec("SELECT count(*) AS n FROM messages").one().n;
  }
}
